package llbgen_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// A key without a description is one that somebody added and did not explain.
func TestEveryFieldIsExplained(t *testing.T) {
	t.Parallel()
	for _, f := range llbgen.Fields() {
		if !strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: the table of fields has no sentence about it: %q", f.Path, f.Help)
		}
		if f.Default != "" && len(f.Values) > 0 && !slices.Contains(f.Values, f.Default) {
			t.Errorf("%s: the default %s is none of %v", f.Path, f.Default, f.Values)
		}
	}
}

func TestFieldsKnowTheirBuildArguments(t *testing.T) {
	t.Parallel()
	fields := map[string]llbgen.Field{}
	for _, f := range llbgen.Fields() {
		fields[f.Path] = f
	}
	for path, want := range map[string]string{
		"kind":              "string SAMFORGE_KIND",
		"plugin":            "mapping",
		"runtimes":          "list",
		"runtimes[].image":  "string SAM_BASE_IMAGE RUNTIME_BASE_IMAGE_VERSION",
		"runtimes[].node":   "string NODEJS_BASE_IMAGE_VERSION",
		"docker":            "mapping or false",
		"goTemplate":        "mapping or false INSTALL_GO_TEMPLATE_BINARY UNIFIED_PIPELINE",
		"goTemplate.sha256": "mapping",
		"mirrors":           "mapping SAMFORGE_MIRRORS",
	} {
		f := fields[path]
		if got := strings.Join(append([]string{f.Type}, f.Args...), " "); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
