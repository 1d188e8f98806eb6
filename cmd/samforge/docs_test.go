package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/catalogue"
)

// docs/compatibility.md has samforge's table of runtimes, as of the day that the catalogue was
// made.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	known, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	day, err := time.Parse(time.DateOnly, known.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := runtimesTable(&table, known, day); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```\n"+table.String()+"```\n") {
		t.Errorf("docs/compatibility.md does not have this table:\n%s", table.String())
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
