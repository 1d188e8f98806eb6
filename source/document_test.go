package source_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/samforge/samforge/source"
)

type config struct {
	Name    string            `yaml:"name"`
	Tool    tool              `yaml:"tool"`
	Entries []tool            `yaml:"entries"`
	Labels  map[string]string `yaml:"labels"`
	Own     map[string]any    `yaml:",inline"`
	Ready   bool              `yaml:"-"`
}

type tool struct {
	Version string `yaml:"version"`
	Off     bool   `yaml:"-"`
}

func (t *tool) Disable() { *t = tool{Off: true} }

func mistakesOf(doc *source.Document) (mistakes source.Diagnostics) {
	if err := doc.Err(); err != nil && !errors.As(err, &mistakes) {
		panic(fmt.Sprintf("%T is no list of mistakes", err))
	}
	return mistakes
}

func summaries(doc *source.Document) (lines []string) {
	for _, mistake := range mistakesOf(doc) {
		lines = append(lines, mistake.Summary())
	}
	return lines
}

func ExampleDocument_Decode() {
	doc := source.New("tools.yaml", []byte("name: [a]\ntool: {verison: 1.10}\n"), source.Syntax{})
	var c config
	doc.Decode(&c)
	fmt.Println(doc.Err())
	// Output:
	// tools.yaml:1:7: name: expected a string, found a list
	//    1 | name: [a]
	//              ^
	// tools.yaml:2:8: tool: unknown key "verison": did you mean "version"?
	//    2 | tool: {verison: 1.10}
	//               ^
}

func TestDecode(t *testing.T) {
	t.Parallel()
	own := &tool{}
	c := config{Own: map[string]any{"own": own}}
	doc := source.New("tools.yaml", []byte("name: 1.10\ntool: false\nentries: [{version: a}, {version: ~}]\nlabels: {x: y, z: null}\nown: {version: b}\n"), source.Syntax{})
	doc.Decode(&c)
	want := config{
		Name: "1.10", Tool: tool{Off: true}, Entries: []tool{{Version: "a"}, {}}, Labels: map[string]string{"x": "y"},
		Own: map[string]any{"own": &tool{Version: "b"}},
	}
	if doc.Err() != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v; want %+v", c, doc.Err(), want)
	}
}

// TestPlaces: a later check points at the value, at what is around it, or at the beginning; and at
// the build argument that took its place.
func TestPlaces(t *testing.T) {
	t.Parallel()
	doc := source.New("tools.yaml", []byte("name: a\nentries: [{version: a}, {version: b}]\ntool: {version: c}\n"), source.Syntax{})
	doc.Decode(&config{})
	doc.Set("tool", source.Position{Arg: "TOOL"})
	doc.Forget("entries[1")
	for _, path := range []string{"entries[0].version", "entries[0].name", "entries[1].version", "labels", "tool.version", "tool"} {
		doc.Errorf(path, "is wrong")
	}
	want := []string{
		"tools.yaml:2:21: entries[0].version: is wrong", "tools.yaml:2:11: entries[0].name: is wrong", "tools.yaml:2:10: entries[1].version: is wrong",
		"tools.yaml:1:1: labels: is wrong", "build argument TOOL: is wrong", "build argument TOOL: is wrong",
	}
	if got := summaries(doc); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for path, given := range map[string]bool{"name": true, "tool": true, "tool.version": false, "labels": false, "entries[1]": false} {
		if doc.Given(path) != given {
			t.Errorf("%s is given: %t", path, !given)
		}
	}
}

// TestHiddenLines: a message does not show a line that is hidden, before or after it.
func TestHiddenLines(t *testing.T) {
	t.Parallel()
	doc := source.New("tools.yaml", []byte("name: [canary]\ntool: x\n"), source.Syntax{})
	doc.Decode(&config{})
	doc.HideLine(1)
	doc.Errorf("name", "is wrong")
	want := "tools.yaml:1:7: name: expected a string, found a list\n" +
		"tools.yaml:2:7: tool: expected a mapping, or false to leave it out, found \"x\"\n   2 | tool: x\n             ^\n" +
		"tools.yaml:1:7: name: is wrong"
	if got := doc.Err().Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestShown: what findings show of a file has its lines, but not what is hidden.
func TestShown(t *testing.T) {
	t.Parallel()
	const file = "a:\n  secret:\n    text: |\n      canary\n\n      canary\n    more: canary\n  b: https://ci:canary@example.com\n  token: canary\n  c: canary2\n"
	doc := source.New("tools.yaml", []byte(file), source.Syntax{})
	doc.HideBlock(source.Position{Line: 2, Column: 3})
	doc.HideValue(9, "canary")
	doc.HideValue(10, "other")
	const want = "a:\n****\n****\n****\n\n****\n****\n  b: https://xxxxxxxxx@example.com\n****\n  c: canary2\n"
	if got := string(doc.Shown()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
