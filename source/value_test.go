package source_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// cloudFormation is the syntax of a template, with a few of its tags.
func cloudFormation() source.Syntax {
	return source.Syntax{Tags: []string{"!Ref", "!Sub", "!Join"}, MergeKeys: true}
}

func ExampleDocument_Root() {
	doc := source.New("template.yaml", []byte(`
Resources:
  Hello:
    Name: !Ref Stage
    Tags: !Join ['-', [a, !Sub '${Stage}']]
`), cloudFormation())
	var show func(v source.Value)
	show = func(v source.Value) {
		at := v.Position()
		fmt.Printf("%d:%d %q %q\n", at.Line, at.Column, v.Path, v.Tag())
		switch v = v.Untagged(); v.Node.Kind {
		case yaml.MappingNode:
			for _, value := range v.Entries() {
				show(value)
			}
		case yaml.SequenceNode:
			for item := range v.Items() {
				show(item)
			}
		}
	}
	root, ok := doc.Root()
	if ok {
		show(root)
	}
	fmt.Println(doc.Err())
	// Output:
	// 2:1 "" ""
	// 3:3 "Resources" ""
	// 4:5 "Resources.Hello" ""
	// 4:11 "Resources.Hello.Name" "!Ref"
	// 5:11 "Resources.Hello.Tags" "!Join"
	// 5:18 "Resources.Hello.Tags[0]" ""
	// 5:23 "Resources.Hello.Tags[1]" ""
	// 5:24 "Resources.Hello.Tags[1][0]" ""
	// 5:27 "Resources.Hello.Tags[1][1]" "!Sub"
	// <nil>
}

// texts returns the scalars in a value as "path=text", in their order.
func texts(v source.Value) (found []string) {
	switch v = v.Untagged(); v.Node.Kind {
	case yaml.MappingNode:
		for _, value := range v.Entries() {
			found = append(found, texts(value)...)
		}
	case yaml.SequenceNode:
		for item := range v.Items() {
			found = append(found, texts(item)...)
		}
	default:
		text, _ := v.Scalar()
		found = append(found, v.Path+"="+text)
	}
	return found
}

func TestEntries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"a scalar keeps its text":                  {"version: 1.10\nsize: 0x10", "version=1.10 size=0x10"},
		"an alias is what it stands for":           {"a: &a [x]\nb: *a", "a[0]=x b[0]=x"},
		"a key may have an anchor":                 {"&k a: *k", "a=a"},
		"keys are merged":                          {"a: &a {x: 1}\nb: {<<: *a, y: 2}", "a.x=1 b.y=2 b.x=1"},
		"a mapping's own key wins":                 {"a: &a {x: 1}\nb: {<<: *a, x: 2}", "a.x=1 b.x=2"},
		"the first of several mappings wins":       {"b: {<<: [{x: 1}, {x: 2, y: 3}]}", "b.x=1 b.y=3"},
		"keys are merged over several steps":       {"a: &a {x: 1}\nb: &b {<<: *a}\nc: {<<: *b}", "a.x=1 b.x=1 c.x=1"},
		"JSON is read as well":                     {"{\"a\": [true,\n\t\"x\"]}", "a[0]=true a[1]=x"},
		"the text of a tagged value is read as it": {"a: !Ref b", "a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := source.New("template.yaml", []byte(test.file), cloudFormation())
			root, ok := doc.Root()
			if !ok || doc.Err() != nil {
				t.Fatalf("%t, %v", ok, doc.Err())
			}
			if got := strings.Join(texts(root), " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		ends bool // the file cannot be read
		want string
	}{
		"a tag is misspelt": {
			file: "a: !Reff b", want: "t.yaml:1:4: a: the tag !Reff is unknown: did you mean !Ref?\n   1 | a: !Reff b\n          ^",
		},
		"a tag is like no other": {
			file: "a: !environment b", want: "t.yaml:1:4: a: the tag !environment is unknown: write the value itself\n   1 | a: !environment b\n          ^",
		},
		"a key has a tag": {
			file: "a: {!x b: c}", want: "t.yaml:1:5: a: the tag !x is unknown: write the value itself\n   1 | a: {!x b: c}\n           ^",
		},
		"a merged value is a string": {
			file: "a: {<<: b}", want: "t.yaml:1:9: a: a merge key (<<) takes a mapping, or a list of mappings\n   1 | a: {<<: b}\n               ^",
		},
		"a merged list has a string": {
			file: "a: {<<: [{}, b]}", want: "t.yaml:1:9: a: a merge key (<<) takes a mapping, or a list of mappings\n   1 | a: {<<: [{}, b]}\n               ^",
		},
		"mistakes are in the order of the file": {
			file: "a: !x 1\n[b]: 1\na: 2",
			want: "t.yaml:1:4: a: the tag !x is unknown: write the value itself\n   1 | a: !x 1\n          ^\n" +
				"t.yaml:2:1: a key must be a plain string\n   2 | [b]: 1\n       ^\n" +
				"t.yaml:3:1: a: the key is repeated: it is already on line 1\n   3 | a: 2\n       ^",
		},
		"a value is a part of itself": {
			file: "a: &a [*a]", ends: true, want: "t.yaml:1:8: a[0]: *a stands for a value that it is a part of\n   1 | a: &a [*a]\n              ^",
		},
		"a mapping is merged into itself": {
			file: "a: &a {<<: *a}", ends: true, want: "t.yaml:1:12: a.<<: *a stands for a value that it is a part of\n   1 | a: &a {<<: *a}\n                  ^",
		},
		"lists are nested very deeply": {
			file: strings.Repeat("[", 101) + strings.Repeat("]", 101), ends: true, want: "t.yaml:1:101: " + strings.Repeat("[0]", 100) + ": the values are nested more than 100 deep",
		},
		"aliases are nested very deeply": {
			file: "- &a0 []\n" + repeat(100, func(n int) string { return fmt.Sprintf("- &a%d [*a%d]\n", n+1, n) }), ends: true,
			want: "t.yaml:100:9: [99][0]: the values are nested more than 100 deep\n 100 | - &a99 [*a98]\n               ^",
		},
		"aliases multiply": {
			file: "- &a0 [x]\n" + repeat(30, func(n int) string { return fmt.Sprintf("- &a%d [*a%d, *a%d]\n", n+1, n, n) }), ends: true,
			want: "t.yaml:20:3: [19]: the file has more than 1000000 values, each alias counted as what it stands for\n  20 | - &a19 [*a18, *a18]\n         ^",
		},
		"merge keys multiply": {
			file: "- &a0 {x: y}\n" + repeat(30, func(n int) string { return fmt.Sprintf("- &a%d {<<: [*a%d, *a%d]}\n", n+1, n, n) }), ends: true,
			want: "the file has more than 1000000 values, each alias counted as what it stands for",
		},
		"a file is very large": {
			file: strings.Repeat("#", 8<<20+1), ends: true, want: "t.yaml: the file has 8388609 bytes, and at most 8388608 are read",
		},
		"there is nothing in the file": {file: "# nothing\n", ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := source.New("t.yaml", []byte(test.file), cloudFormation())
			_, ok := doc.Root()
			got := ""
			if err := doc.Err(); err != nil {
				got = err.Error()
			}
			if ok == test.ends || !strings.Contains(got, test.want) || test.want == "" && got != "" {
				t.Errorf("it can be read: %t; got:\n%s\nwant:\n%s", ok, got, test.want)
			}
		})
	}
}

func repeat(count int, line func(n int) string) string {
	var b strings.Builder
	for n := range count {
		b.WriteString(line(n))
	}
	return b.String()
}

// TestWrongTypes: a value that is not what is wanted is a mistake at its place, and a tag is never
// what is wanted.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	doc := source.New("t.yaml", []byte("a: [x]\nb: !Ref y\nc: z"), cloudFormation())
	root, _ := doc.Root()
	for _, v := range root.Entries() {
		if text, ok := v.Scalar(); ok != (v.Path == "c") {
			t.Errorf("%s is the string %q: %t", v.Path, text, ok)
		}
		for item := range v.Items() {
			if item.Path != "a[0]" {
				t.Errorf("%s is read as an entry of a list", item.Path)
			}
		}
	}
	want := []string{
		"t.yaml:1:4: a: expected a string, found a list", "t.yaml:2:4: b: expected a string, found !Ref",
		"t.yaml:2:4: b: expected a list, found !Ref", `t.yaml:3:4: c: expected a list, found "z"`,
	}
	for i, line := range summaries(doc) {
		if i >= len(want) || line != want[i] {
			t.Errorf("mistake %d is %s, want one of %q", i, line, want)
		}
	}
	if doc.Count() != len(want) {
		t.Errorf("there are %d mistakes, want %d", doc.Count(), len(want))
	}
}

// TestMistakesPastTheEnd: an empty value may be where the file ends already.
func TestMistakesPastTheEnd(t *testing.T) {
	t.Parallel()
	doc := source.New("t.yaml", []byte("--- "), cloudFormation())
	if root, ok := doc.Root(); ok {
		root.Errorf("is empty")
	}
	if got := summaries(doc); len(got) != 1 || got[0] != "t.yaml:1:5: is empty" {
		t.Errorf("got %q", got)
	}
}

// FuzzRoot: whatever the file, it can be walked to its end, and each mistake is at a place in it.
func FuzzRoot(f *testing.F) {
	for _, seed := range []string{
		"a: &a {b: !Ref c}\nd: {<<: *a, e: [*a, !Join [x, [y]]]}\n", "a: &a [*a]", "&k a: *k", "? {a: b}\n: c", "{\"a\": null}", "%YAML 1.2\n---\na\n", "a: {<<: [*b, 1]}", "\ufeffa: \r b\u2028",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := source.New("t.yaml", data, cloudFormation())
		if root, ok := doc.Root(); ok {
			texts(root)
		}
		lines := source.Lines(data)
		for _, mistake := range mistakesOf(doc) {
			if mistake.Line > len(lines) || mistake.Line > 0 && mistake.Column < 1 {
				t.Errorf("%v is not in the file of %d lines", mistake, len(lines))
			}
		}
	})
}
