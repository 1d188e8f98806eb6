package samconfig

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// canary is a value that no message may show. No name of a parameter can be like it.
const canary = "ca-nary"

// FuzzParse: whatever the file, there is a table whose values are at lines of it, or a mistake that
// names the file and a line of it. The same table in YAML has the same values.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"version = 0.1\n[default.build.parameters]\ncached = true\nexclude = [\"Slow\", \"Child/Old\"]\nparameter_overrides = [\"Stage=test Size='1 2'\"]\n",
		"[prod.build.parameters.parameter_overrides]\nStage = \"prod\"\nCount = 3\nFast = true\nZones = [\"a\", \"b\"]\n",
		"[[a]]\nb = 1979-05-27T07:32:00Z\nc = 07:32:00\n[[a]]\nd.\"e f\" = {g = '''\n'''}\n", "[default\n", "a = 1\na = 2\n", "a = 1.10\n",
	} {
		f.Add([]byte(seed), false)
	}
	for _, seed := range []string{
		"default:\n  build: {parameters: {exclude: [Slow], region: ~, parameter_overrides: {A: 0x10}}}\n", "a: &a [*a]\n", "a: &a {<<: *a}\n", "- default\n",
		"a: &b [x, x]\nc: &d [*b, *b]\ne: &f [*d, *d]\n", "a: {}\na: {}\n", "? [a]\n: b\n", "a: !!binary x\n", "a: [\n", "--- a\n--- b\n", "\ufeffa: 'b'\r\n",
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, inYAML bool) {
		name := "samconfig.toml"
		if inYAML {
			name = "samconfig.yaml"
		}
		root, err := parse(name, data)
		if err != nil {
			checkMistake(t, name, data, err)
			return
		}
		checkLines(t, root, lineCount(data))
		var p Parameters
		if err := p.add(t.Context(), root); err != nil {
			checkMistake(t, name, data, err)
		}
		if !written(root) {
			return
		}
		again, err := parse("again.yaml", []byte(flow(root)))
		if err != nil {
			t.Fatalf("%v\n%s", err, flow(root))
		}
		if flow(again) != flow(root) {
			t.Errorf("%s\nis read as\n%s", flow(root), flow(again))
		}
	})
}

// lineCount counts lines as TOML and YAML do. For YAML, a value that is missing at the end of the
// file is on the line after it.
func lineCount(data []byte) int {
	return 2 + len(regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]").FindAllIndex(data, -1))
}

// place matches the file and the line that begin a message.
var place = regexp.MustCompile(`^samconfig\.(?:toml|yaml):(?:(\d+):)? `)

func checkMistake(t *testing.T, name string, data []byte, err error) {
	t.Helper()
	found := place.FindStringSubmatch(err.Error())
	if found == nil || !strings.HasPrefix(err.Error(), name) {
		t.Fatalf("the mistake has no place: %v", err)
	}
	if line, _ := strconv.Atoi(found[1]); line > lineCount(data) {
		t.Errorf("the mistake is on line %d of %d: %v", line, lineCount(data), err)
	}
}

func checkLines(t *testing.T, v value, lines int) {
	t.Helper()
	if v.line > lines || v.line < 0 {
		t.Fatalf("%q is on line %d of %d", v.text, v.line, lines)
	}
	for _, item := range v.items {
		checkLines(t, item, lines)
	}
	for _, field := range v.fields {
		checkLines(t, field, lines)
	}
}

// written reports whether flow can write a value: YAML has other numbers than TOML, and no text
// that is not Unicode.
func written(v value) bool {
	if v.kind == kindFraction || v.kind == kindNumber && !regexp.MustCompile(`^-?(0|[1-9]\d*)$`).MatchString(v.text) || !utf8.ValidString(v.text) {
		return false
	}
	if v.kind == kindBool && v.text != "true" && v.text != "false" {
		return false
	}
	for key, field := range v.fields {
		if !utf8.ValidString(key) || !written(field) {
			return false
		}
	}
	return !slices.ContainsFunc(v.items, func(item value) bool { return !written(item) })
}

// flow writes a value as YAML on one line.
func flow(v value) string {
	var b bytes.Buffer
	switch v.kind {
	case kindTable, "":
		b.WriteString("{")
		for _, key := range slices.Sorted(maps.Keys(v.fields)) {
			fmt.Fprintf(&b, "? %s : %s, ", strconv.QuoteToASCII(key), flow(v.fields[key]))
		}
		b.WriteString("}")
	case kindList:
		b.WriteString("[")
		for _, item := range v.items {
			b.WriteString(flow(item) + ", ")
		}
		b.WriteString("]")
	case kindText:
		b.WriteString(strconv.QuoteToASCII(v.text))
	case kindNull:
		b.WriteString("~")
	default:
		b.WriteString(v.text)
	}
	return b.String()
}

// FuzzOverrides: whatever a value of parameter_overrides is, there are parameters, or a mistake
// that does not show the values.
func FuzzOverrides(f *testing.F) {
	for _, seed := range [][2]string{
		{"Stage=", " Name=x"}, {"ParameterKey=A,ParameterValue=", ""}, {"A='", ""}, {"A=\"", "\" B"}, {"A= ", ""}, {"", "=b"}, {"\"A\"=", "\\ b"},
		{"ParameterKey='A',ParameterValue='", "' B=c"}, {"A=b ", ""}, {"A=\\", "\\\"\n"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, fileScheme) {
			t.Skip("the name of a file")
		}
		text := before + canary + after
		for _, v := range []value{
			{kind: kindText, text: text}, {kind: kindList, items: []value{{kind: kindText, text: before}, {kind: kindText, text: text}}},
			{kind: kindTable, fields: map[string]value{"A": {kind: kindText, text: text}}},
		} {
			to := map[string]string{}
			if err := v.overrides(t.Context(), to); err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the mistake shows a value: %v", err)
			}
			if v.kind == kindTable && to["A"] != text {
				t.Errorf("%q is read as %q", text, to["A"])
			}
		}
	})
}
