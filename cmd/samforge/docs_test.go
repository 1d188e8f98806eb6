package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/llbgen"
)

// docs/compatibility.md has the table of what samforge knows, as of the day that
// the catalogue was made.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	catalogue, err := llbgen.LoadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	day, err := time.Parse(time.DateOnly, catalogue.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := runtimesTable(&table, catalogue, day); err != nil {
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
