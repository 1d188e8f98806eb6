package ci

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/step.md")

// docs/step.md has the tables of the settings, after this line.
const generated = "<!-- The tables are generated: make golden -->\n"

func TestGoldenTables(t *testing.T) {
	t.Parallel()
	const path = "../../docs/step.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(data), generated)
	if !ok {
		t.Fatalf("%s does not have the line %s", path, generated)
	}
	var tables strings.Builder
	if err := WriteTables(&tables); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+generated+tables.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if after != tables.String() {
		t.Error("the tables are not those of the settings: make golden writes them")
	}
}
