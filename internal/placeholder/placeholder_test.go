package placeholder_test

import (
	"strings"
	"testing"
	"text/template"

	"github.com/samforge/samforge/internal/placeholder"
)

var values = map[string]string{"Version": "1.2.3", "Arch": "arm64", "Empty": ""}

func TestFill(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"latest":                       "latest",
		"{{.Version}}":                 "1.2.3",
		"{{ .Version }}-{{- $.Arch }}": "1.2.3-arm64",
		"a{{/* a comment */}}b":        "ab",
		"{{.Version}}{{with .Arch}}-linux-{{.}}{{end}}":                         "1.2.3-linux-arm64",
		"{{.Version}}{{with .Empty}}-linux-{{.}}{{end}}":                        "1.2.3",
		"{{with .Arch}}{{with $.Version}}{{.}}{{end}}-{{.}}{{end}}":             "1.2.3-arm64",
		"{{with .Empty}}{{.}}{{else with .Arch}}{{.}}!{{else}}no{{end}}":        "arm64!",
		"{{if .Empty}}a{{else if .Version}}b{{.Version}}{{else}}c{{end}}":       "b1.2.3",
		"{{with .Arch}}{{if $.Version}}{{.}}{{end}}{{end}}{{if .Empty}}{{end}}": "arm64",
	} {
		got, err := placeholder.Fill(text, values)
		if err != nil || got != want {
			t.Errorf("Fill(%q) = %q, %v; want %q", text, got, err, want)
		}
		if goes := goTemplate(t, text); goes != want {
			t.Errorf("Go's template gives %q for %q, not %q", goes, text, want)
		}
	}
}

// goTemplate returns the result of the whole template language for a text.
func goTemplate(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&out, values); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFillRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{range 100000000000}}aaaa{{end}}":            "{{range 100000000000}}aaaa{{end}} is not allowed: use {{.NAME}}, {{with .NAME}}",
		"{{range .}}{{.}}{{end}}":                      "is not allowed",
		"{{define \"a\"}}{{end}}":                      "{{define}} is not allowed",
		"{{block \"a\" .}}{{template \"a\" .}}{{end}}": "{{define}} is not allowed",
		"{{template \"text\" .}}":                      "is not allowed",
		"{{template \"other\" .}}":                     "is not allowed",
		"{{break}}":                                    "{{break}} outside {{range}}",
		"{{$x := .Arch}}{{$x}}":                        "{{$x := .Arch}} is not allowed",
		"{{with $x := .Arch}}{{$x}}{{end}}":            "{{$x := .Arch}} is not allowed",
		`{{printf "%1000000000d" 1}}`:                  `function "printf" not defined`,
		"{{.Version | .Arch}}":                         "is not allowed",
		"{{.Version.Major}}":                           "{{.Version.Major}} is not allowed",
		`{{"text"}}`:                                   "is not allowed",
		"{{1}}":                                        "is not allowed",
		"{{$}}":                                        "{{$}} is not allowed",
		"{{.}}":                                        "{{.}} has a value inside {{with .NAME}}...{{end}} only",
		"{{with .Arch}}{{.Version}}{{end}}":            "{{.Version}} has no value inside {{with}}: use {{$.Version}}",
		"{{if .Empty}}{{range 9}}{{end}}{{end}}":       "{{range 9}}{{end}} is not allowed",
		"{{if .Empty}}{{.Node}}{{end}}":                "there is no .Node",
		"{{.Node}}":                                    "there is no .Node: use .Arch, .Empty, .Version",
		"{{.Version":                                   "unclosed action",
		"{{with .Version}}":                            "unexpected EOF",
		strings.Repeat("a", 8<<10+1):                   "it has 8193 bytes, and at most 8192 are allowed",
		strings.Repeat("{{.Long}}", 900):               "the result has more than 8192 bytes",
		strings.Repeat("{{with .Arch}}", 580):          "unexpected EOF",
	} {
		long := map[string]string{"Long": strings.Repeat("x", 1000)}
		for name, value := range values {
			if !strings.Contains(text, "Long") {
				long[name] = value
			}
		}
		if !strings.Contains(text, "Long") {
			delete(long, "Long")
		}
		if got, err := placeholder.Fill(text, long); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Fill(%.60q) = %.60q, %v; want the error %q", text, got, err, want)
		}
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	const text = "{{.B}}{{with .A}}{{.}}{{else}}{{if $.C}}{{end}}{{end}}{{.B}}.D"
	for name, want := range map[string]bool{"A": true, "B": true, "C": true, "D": false, "": false} {
		if got := placeholder.Uses(text, name); got != want {
			t.Errorf("Uses(%q) is %v", name, got)
		}
	}
	if placeholder.Uses("{{.A}}{{", "A") {
		t.Error("an unclosed placeholder uses .A")
	}
}

// FuzzFill checks that Go's whole template language gives the same result for every text that Fill
// accepts, within the limit.
func FuzzFill(f *testing.F) {
	for _, seed := range []string{"{{.Version}}{{with .Arch}}-{{.}}{{else}}{{$.Empty}}{{end}}", "{{range 9}}{{.}}{{end}}", "{{- if .Empty -}} a {{- end -}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := placeholder.Fill(text, values)
		if err != nil {
			return
		}
		if want := goTemplate(t, text); got != want || len(got) > 16<<10 {
			t.Errorf("Fill(%q) = %q, and Go's template gives %q", text, got, want)
		}
	})
}
