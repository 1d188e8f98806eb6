package ci

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/step-settings.md")

// docs/step-settings.md has the tables of the settings, after this line.
const generated = "<!-- The tables are generated: make golden -->\n"

func TestGoldenTables(t *testing.T) {
	t.Parallel()
	const path = "../../docs/step-settings.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(data), generated)
	if !ok {
		t.Fatalf("%s does not have the line %s", path, generated)
	}
	var tables strings.Builder
	if err := writeTables(&tables); err != nil {
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

// writeTables writes the tables of docs/step-settings.md, in Markdown: the settings that do something, and
// those that do not.
func writeTables(w io.Writer) error {
	var text strings.Builder
	for _, group := range []struct {
		title    string
		settings []Setting
	}{
		{"The image and its tags", imageSettings()}, {"The build", buildSettings()}, {"Push and outputs", pushSettings()}, {"Signatures", signingSettings()},
		{"Credentials and secrets", loginSettings()}, {"Amazon ECR", amazonSettings()}, {"Google and Azure", cloudSettings()}, {"Caches", cacheSettings()}, {"Registries and network", reachSettings()}, {"Other", otherSettings()},
	} {
		fmt.Fprintf(&text, "\n### %s\n| variable | default | what it does |\n|---|---|---|\n", group.title)
		for _, s := range group.settings {
			if s.Does != "" {
				fmt.Fprintf(&text, "| %s | %s | %s |\n", variables(s), s.Default, s.Does+kind(s))
			}
		}
	}
	text.WriteString("\n### Settings that are an error\n| variable | what to do |\n|---|---|\n")
	for _, s := range Settings() {
		if s.Refused != "" {
			fmt.Fprintf(&text, "| %s | %s |\n", variables(s), s.Refused)
		}
	}
	text.WriteString("\n### Settings that do nothing\nEach causes a warning that says why.\n\n| variable | why |\n|---|---|\n")
	for _, row := range ignoredRows() {
		fmt.Fprintf(&text, "| %s | %s |\n", strings.Join(row.variables, ", "), row.why)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

type ignoredRow struct {
	variables []string
	why       string
}

// ignoredRows returns the settings that do nothing. Those with one reason are one row.
func ignoredRows() []ignoredRow {
	var rows []ignoredRow
	for _, s := range Settings() {
		if s.Ignored == "" {
			continue
		}
		why := s.Ignored
		if s.Usual != "" {
			why += ". The value `" + s.Usual + "`, which Harness gives to every step, causes no warning"
		}
		i := slices.IndexFunc(rows, func(r ignoredRow) bool { return r.why == why })
		if i < 0 {
			i = len(rows)
			rows = append(rows, ignoredRow{why: why})
		}
		rows[i].variables = append(rows[i].variables, variables(s))
	}
	return rows
}

// variables returns the names of a setting, the first one first.
func variables(s Setting) string { return "`" + strings.Join(s.Names, "`, `") + "`" }

// kind returns how a value is written, if it is a list.
func kind(s Setting) string {
	switch s.Type {
	case typeCommas:
		return ". A list with commas"
	case typeSemis:
		return ". A list with semicolons"
	}
	return ""
}
