package samtemplate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// expectation is what a rewritten template has at a place: a string, or the values below it that
// differ from the original.
type expectation struct {
	text  string
	below map[string]*expectation // nil for a string
}

func (e *expectation) add(keys []string, text string) {
	for _, key := range keys {
		if e.below == nil {
			e.below = map[string]*expectation{}
		}
		if e.below[key] == nil {
			e.below[key] = &expectation{}
		}
		e = e.below[key]
	}
	e.text = text
}

// verify parses the new text of the template, and returns an error if it differs from the old one
// in anything but what it should.
func (w *rewriter) verify(text []byte) error {
	doc := source.New(w.template.Name, text, syntax())
	root, ok := doc.Root()
	var mistakes source.Diagnostics
	switch {
	case errors.As(doc.Err(), &mistakes): // without the line, which may be one with a secret in it
		return fmt.Errorf("cannot write the images into the template, because the result cannot be read: %s", mistakes[0].Summary())
	case !ok:
		return errors.New("cannot write the images into the template, because the result is empty")
	}
	if at := differs(w.template.root, root, w.want); at != nil {
		return w.template.doc.Diagnostic(at.Position(), at.Path, "cannot write the images into the template, because this would change with them: "+
			"it shares its text with a function through an anchor or a merge key, or it is in a style that is not understood; write it out")
	}
	return nil
}

// differs returns the first value of the old template, or the one around it, that is not what it
// should be in the new one; nil if there is none.
func differs(before, after source.Value, want *expectation) *source.Value {
	switch {
	case want == nil || want.below == nil && want.text == "":
		want = &expectation{}
	case want.below == nil:
		if after.Node.Kind != yaml.ScalarNode || after.Node.Tag != "!!str" || after.Node.Value != want.text {
			return &before
		}
		return nil
	}
	if _, _, isCall := callOf(before); len(want.below) > 0 && (isCall || before.Node.Kind == yaml.ScalarNode) { // it is replaced as a whole
		return differsInMapping(before, nil, entriesOf(after), want)
	}
	if before.Node.Kind != after.Node.Kind || before.Node.Tag != after.Node.Tag || before.Node.Value != after.Node.Value {
		return &before
	}
	switch before.Node.Kind {
	case yaml.MappingNode:
		return differsInMapping(before, entriesOf(before), entriesOf(after), want)
	case yaml.SequenceNode:
		return differsInList(before, after, want)
	}
	return nil
}

func differsInMapping(around source.Value, before, after map[string]source.Value, want *expectation) *source.Value {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, ok := before[name]
		expected := want.below[name]
		var found *source.Value
		switch {
		case ok:
			found = differs(old, after[name], expected)
		case expected == nil:
			found = &around
		case expected.below != nil:
			found = differsInMapping(around, nil, entriesOf(after[name]), expected)
		default:
			found = differs(around, after[name], expected)
		}
		if found != nil {
			return found
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(want.below))) {
		if _, ok := after[name]; !ok {
			return &around
		}
	}
	return nil
}

func differsInList(before, after source.Value, want *expectation) *source.Value {
	old, now := itemsOf(before), itemsOf(after)
	if len(old) != len(now) {
		return &before
	}
	for i := range old {
		if d := differs(old[i], now[i], want.below[fmt.Sprint(i)]); d != nil {
			return d
		}
	}
	return nil
}

// entriesOf returns the entries of a mapping, whatever its tag.
func entriesOf(v source.Value) map[string]source.Value { return plainEntries(v.Untagged()) }

func itemsOf(v source.Value) []source.Value {
	var items []source.Value
	for item := range v.Untagged().Items() {
		items = append(items, item)
	}
	return items
}
