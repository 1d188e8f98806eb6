package samtemplate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// Edits are what [Template.Rewrite] sets in a template.
type Edits struct {
	// Images are the ImageUri of functions, by [Function.LogicalID].
	Images map[string]string
	// Locations are the templates of nested stacks, by [Nested.LogicalID].
	Locations map[string]string
	// Moved returns what a path becomes that is relative to the template, because the text is written
	// into another folder. ok is false for a value that stays as it is. Moved may be nil. It is asked
	// for every string that can be a path and that no other edit replaces.
	Moved func(path string) (_ string, ok bool)
}

// Rewrite returns the text of the template with these edits. Every other byte stays as it is:
// comments, anchors, line ends, the style of values. The result was parsed again, and differs in
// nothing else.
//
// It is an error if a function shares its properties with others through an anchor or a merge key,
// in such a way that an edit would change the others too, or if the template has no such function
// or nested stack.
func (t *Template) Rewrite(edits Edits) ([]byte, error) {
	w := &rewriter{template: t, text: newLines(t.data), want: &expectation{},
		index: map[*yaml.Node]map[string]int{}, replaced: map[*yaml.Node]bool{}}
	w.json = isFlow(t.root.Node)
	found := map[string]bool{}
	for _, f := range t.Functions {
		image, ok := edits.Images[f.LogicalID]
		if !ok {
			continue
		}
		found[f.LogicalID] = true
		keys := append(slices.Clone(f.keys), "Properties", "ImageUri")
		if f.Type == lambdaFunction {
			keys = append(slices.Clone(f.keys), "Properties", "Code", "ImageUri")
		}
		w.set(f.At, f.LogicalID, keys, image)
	}
	for _, nested := range t.Nested {
		if location, ok := edits.Locations[nested.LogicalID]; ok {
			found[nested.LogicalID] = true
			w.set(nested.At, nested.LogicalID, nested.keys, location)
		}
	}
	if edits.Moved != nil {
		w.movePaths(edits.Moved)
	}
	wanted := maps.Clone(edits.Images)
	if wanted == nil {
		wanted = map[string]string{}
	}
	maps.Copy(wanted, edits.Locations)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !found[name] {
			return nil, fmt.Errorf("%s: there is no function or nested stack %s", t.Name, name)
		}
	}
	if len(w.mistakes) > 0 {
		return nil, w.mistakes
	}
	text, err := w.text.apply(w.edits)
	if err != nil {
		return nil, err
	}
	if err := w.verify(text); err != nil {
		return nil, err
	}
	return text, nil
}

// rewriter collects the edits of a template's text.
type rewriter struct {
	template *Template
	text     *lines
	json     bool                          // the template is JSON, or YAML in its style
	index    map[*yaml.Node]map[string]int // of the keys in a mapping's content
	replaced map[*yaml.Node]bool           // values
	edits    []edit
	want     *expectation
	mistakes source.Diagnostics
}

// set sets the value at the end of the keys, for the resource at a place.
func (w *rewriter) set(at source.Position, id string, keys []string, value string) {
	last := keys[len(keys)-1]
	err := errors.New("it is empty")
	if value != "" {
		w.want.add(keys, value)
		err = w.setIn(w.template.root.Node, keys, value)
	}
	if err != nil {
		w.mistakes = append(w.mistakes, w.template.doc.Diagnostic(at, id, "cannot set its %s: %v", last, err))
	}
}

// setIn sets the value below a node.
func (w *rewriter) setIn(node *yaml.Node, keys []string, value string) error {
	key, rest := keys[0], keys[1:]
	if node.Kind == yaml.SequenceNode {
		n, err := strconv.Atoi(key)
		if err != nil || n >= len(node.Content) {
			return errors.New("the list around it is not what it was")
		}
		return w.setIn(node.Content[n], rest, value)
	}
	k, v := w.child(node, key)
	switch {
	case k == nil && (len(rest) == 0 || key == "Code"):
		return w.insert(node, keys, value)
	case k == nil:
		return fmt.Errorf("%s comes from a merge key (<<): write it out in the resource", key)
	case len(rest) == 0:
		return w.replace(node, k, v, w.scalar(value, isFlow(node)))
	case v.Kind == yaml.AliasNode && (key == "Properties" || key == "Code"):
		return w.replace(node, k, v, w.flow("*"+v.Value, rest, value))
	case v.Kind == yaml.AliasNode:
		return fmt.Errorf("*%s stands for the whole resource: write it out", v.Value)
	case key == "Code" && !isPlainMapping(v):
		return w.replace(node, k, v, w.flow("", rest, value))
	}
	return w.setIn(v, rest, value)
}

// child returns the key of that name in a mapping, and its value.
func (w *rewriter) child(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	index, ok := w.index[mapping]
	if !ok {
		index = map[string]int{}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Kind == yaml.ScalarNode {
				index[mapping.Content[i].Value] = i
			}
		}
		w.index[mapping] = index
	}
	i, ok := index[name]
	if !ok {
		return nil, nil
	}
	return mapping.Content[i], mapping.Content[i+1]
}

// isPlainMapping reports whether a node is a mapping and no intrinsic function.
func isPlainMapping(node *yaml.Node) bool {
	if node.Kind != yaml.MappingNode || strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return false
	}
	return len(node.Content) != 2 || node.Content[0].Value != "Ref" && !strings.HasPrefix(node.Content[0].Value, "Fn::")
}

func isFlow(node *yaml.Node) bool { return node.Style&yaml.FlowStyle != 0 }

// insert adds a key, which may have others in it, to a mapping: as its first one, in its style.
func (w *rewriter) insert(mapping *yaml.Node, keys []string, value string) error {
	if mapping.Kind != yaml.MappingNode {
		return errors.New("it has no properties")
	}
	entry := w.entry(keys, value, isFlow(mapping))
	if isFlow(mapping) {
		return w.insertFlow(mapping, entry)
	}
	first := mapping.Content[0]
	w.insertLine(first, entry+w.text.eol, strings.Repeat(" ", first.Column-1))
	return nil
}

// insertLine puts a line before a key, with the indentation of the key's line. otherwise is the
// indentation where something else is on that line before the key.
func (w *rewriter) insertLine(before *yaml.Node, line, otherwise string) {
	at := w.text.offset(before.Line, before.Column)
	indent := string(w.text.data[w.text.start[before.Line-1]:at])
	if strings.Trim(indent, " \t") != "" {
		indent = otherwise
	}
	w.edits = append(w.edits, edit{at, at, line + indent})
}

func (w *rewriter) insertFlow(mapping *yaml.Node, entry string) error {
	open, err := w.text.skipProperties(w.text.offset(mapping.Line, mapping.Column))
	if err != nil || w.text.at(open) != '{' {
		return errStyle
	}
	switch {
	case len(mapping.Content) == 0:
		w.edits = append(w.edits, edit{open + 1, open + 1, entry})
	case mapping.Content[0].Line == mapping.Line:
		w.edits = append(w.edits, edit{open + 1, open + 1, entry + ", "})
	default:
		w.insertLine(mapping.Content[0], entry+","+w.text.eol, " ")
	}
	return nil
}

// replace replaces a value of a mapping.
func (w *rewriter) replace(mapping, key, value *yaml.Node, text string) error {
	w.replaced[value] = true
	place := scan{w.text, isFlow(mapping), mapping.Content[0].Column}
	if isEmpty(value) {
		after, err := place.afterKey(key)
		if err != nil {
			return err
		}
		w.edits = append(w.edits, edit{after, after, " " + text})
		return nil
	}
	start := w.text.offset(value.Line, value.Column)
	end, err := place.end(key, value)
	if err != nil {
		return err
	}
	w.edits = append(w.edits, edit{start, end, text})
	return nil
}

// entry returns a key with its value, as in `Code: {ImageUri: "example.com/a:b"}`.
func (w *rewriter) entry(keys []string, value string, inFlow bool) string {
	if len(keys) == 1 {
		return w.key(keys[0]) + ": " + w.scalar(value, inFlow)
	}
	return w.key(keys[0]) + ": " + w.flow("", keys[1:], value)
}

// flow returns a mapping in flow style. merged is the alias of one to merge into it; "" for none.
func (w *rewriter) flow(merged string, keys []string, value string) string {
	if merged != "" {
		merged = "<<: " + merged + ", "
	}
	return "{" + merged + w.entry(keys, value, true) + "}"
}

func (w *rewriter) key(name string) string {
	if w.json {
		return strconv.Quote(name)
	}
	return name
}

// scalar returns a string as YAML has it, or JSON. Older parsers do not take a colon in a string
// without quotes in flow style.
func (w *rewriter) scalar(value string, inFlow bool) string {
	if !inFlow && plainScalar.MatchString(value) {
		return value
	}
	return quoted(value)
}
