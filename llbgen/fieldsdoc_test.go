package llbgen_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// TestBuildFileReferenceGolden: the part of docs/build-file.md below its comment is generated from
// the field table.
func TestBuildFileReferenceGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "build-file.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const comment = "<!-- Made from llbgen/fields.go by make golden. -->\n"
	prose, _, found := strings.Cut(string(text), comment)
	if !found || !strings.Contains(prose, "$schema="+llbgen.SchemaURL) {
		t.Errorf("%s lacks its comment or the address of the schema", path)
	}
	goldenFile(t, path, prose+comment+keysTable()+"\n"+settingsTable())
}

func keysTable() string {
	var b strings.Builder
	b.WriteString("| key | type | default | build argument | meaning |\n|---|---|---|---|---|\n")
	for _, f := range llbgen.Fields() {
		written := f.Type
		if len(f.Values) > 0 {
			written = codes(f.Values, " or ")
		}
		help := f.Help
		if section, _, below := strings.Cut(f.Path, "."); len(f.Kinds) > 0 && (!below || strings.HasSuffix(section, "[]")) {
			help += " Only for `kind: " + strings.Join(f.Kinds, "` or `kind: ") + "`."
		}
		if f.Example != "" {
			help += " Example: `" + f.Example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Path, written, codes([]string{f.Default}, ""), codes(f.Args, ", "), help)
	}
	return b.String()
}

// settingsTable lists the build arguments that set no key.
func settingsTable() string {
	var ofKeys []string
	for _, f := range llbgen.Fields() {
		ofKeys = append(ofKeys, f.Args...)
	}
	var b strings.Builder
	b.WriteString("## Build arguments without a key\n| build argument | meaning |\n|---|---|\n")
	for _, v := range llbgen.Variables() {
		if !slices.Contains(ofKeys, v.Name) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", v.Name, v.Help)
		}
	}
	return b.String()
}

func codes(values []string, between string) string {
	var quoted []string
	for _, v := range values {
		if v != "" {
			quoted = append(quoted, "`"+v+"`")
		}
	}
	return strings.Join(quoted, between)
}
