package main

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/catalogue"
)

var update = flag.Bool("update", false, "rewrite the table of docs/compatibility.md")

// docs/compatibility.md ends with what samforge runtimes prints today. When a runtime is deprecated,
// make golden writes the table again.
func TestGoldenCompatibilityPage(t *testing.T) {
	t.Parallel()
	known, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := runtimesMarkdown(&table, known, time.Now()); err != nil {
		t.Fatal(err)
	}
	const path, generated = "../../docs/compatibility.md", "<!-- Printed by samforge runtimes --format markdown: make golden. -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(page), generated)
	if !ok {
		t.Fatalf("%s does not have the line %s", path, generated)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+generated+table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if after != table.String() {
		t.Errorf("%s does not have today's table; make golden writes it:\n%s", path, table.String())
	}
}

// The pattern for Renovate in docs/plan.md finds the images of the examples.
func TestRenovatePattern(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var config struct {
		CustomManagers []struct{ MatchStrings []string }
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(config.CustomManagers[0].MatchStrings[0])
	for name, want := range map[string]int{"sam/samforge.yaml": 2, "serverless/samforge.yaml": 19} {
		file, err := os.ReadFile("../../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found := pattern.FindAllStringSubmatch(string(file), -1)
		if len(found) != want {
			t.Errorf("%s: %d references are found, want %d: %q", name, len(found), want, found)
		}
	}
}
