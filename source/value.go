package source

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/suggest"
)

// Value is a value of a document. An alias is replaced by what it stands for.
type Value struct {
	// Path says which value it is: "runtimes[0].image".
	Path string
	// Node is the value as it was parsed.
	Node *yaml.Node

	doc      *Document
	untagged bool
}

func (d *Document) valueAt(path string, node *yaml.Node) Value {
	return Value{Path: path, Node: target(node), doc: d}
}

// target returns the node that an alias stands for, or the node itself.
func target(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// Position returns the place of the value.
func (v Value) Position() Position { return positionOf(v.Node) }

func positionOf(node *yaml.Node) Position { return Position{Line: node.Line, Column: node.Column} }

// Errorf records a mistake in the value.
func (v Value) Errorf(format string, args ...any) {
	v.doc.ErrorAt(v.Position(), v.Path, format, args...)
}

// IsNull reports whether the value is null, which means the same as a missing value.
func (v Value) IsNull() bool { return v.Node.Kind == yaml.ScalarNode && v.Node.Tag == "!!null" }

// Tag returns the value's tag if it is one of the format, such as "!Ref", or "".
func (v Value) Tag() string {
	if v.untagged || !slices.Contains(v.doc.syntax.Tags, v.Node.Tag) {
		return ""
	}
	return v.Node.Tag
}

// Untagged returns the value without its tag, to read what the tag applies to.
func (v Value) Untagged() Value {
	v.untagged = true
	return v
}

// Scalar returns the text of a string, number or boolean, as the file has it. Anything else, and a
// tag, is a mistake.
func (v Value) Scalar() (string, bool) { return v.Node.Value, v.expect(yaml.ScalarNode, "a string") }

// Items returns the values of a list. Anything else, and a tag, is a mistake.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if !v.expect(yaml.SequenceNode, "a list") {
			return
		}
		for i, item := range v.Node.Content {
			if !yield(v.doc.valueAt(fmt.Sprintf("%s[%d]", v.Path, i), item)) {
				return
			}
		}
	}
}

// mergeKey is the key of mappings to merge into a mapping: https://yaml.org/type/merge.html
const mergeKey = "<<"

// Entries returns the keys and the values of a mapping. Anything else, and a tag, is a mistake.
func (v Value) Entries() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		if v.expect(yaml.MappingNode, "a mapping of keys to values") {
			v.entries(v.Node, map[string]bool{}, yield)
		}
	}
}

// entries yields the entries of a mapping with a new key, and then those of the mappings that are
// merged into it. It reports whether to go on.
func (v Value) entries(mapping *yaml.Node, seen map[string]bool, yield func(key, value Value) bool) bool {
	var merged []*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		switch {
		case key.Value == mergeKey:
			merged = append(merged, value)
		case key.Kind != yaml.ScalarNode || seen[key.Value]:
		default:
			seen[key.Value] = true
			path := Join(v.Path, key.Value)
			if !yield(v.doc.valueAt(path, key), v.doc.valueAt(path, value)) {
				return false
			}
		}
	}
	if !v.doc.syntax.MergeKeys {
		return true
	}
	for _, node := range merged {
		sources := []*yaml.Node{node}
		if target(node).Kind == yaml.SequenceNode {
			sources = target(node).Content
		}
		for _, source := range sources {
			if source = target(source); source.Kind == yaml.MappingNode && !v.entries(source, seen, yield) {
				return false
			}
		}
	}
	return true
}

// canMerge reports whether the value of a merge key is a mapping or a list of mappings.
func canMerge(node *yaml.Node) bool {
	node = target(node)
	if node.Kind == yaml.SequenceNode {
		return !slices.ContainsFunc(node.Content, func(item *yaml.Node) bool { return target(item).Kind != yaml.MappingNode })
	}
	return node.Kind == yaml.MappingNode
}

// UnknownKey records that a key of the value is not among the known ones, and suggests the nearest.
func (v Value) UnknownKey(key Value, known []string) {
	message := fmt.Sprintf("unknown key %q; known keys are %s", key.Node.Value, strings.Join(known, ", "))
	if near := suggest.Nearest(key.Node.Value, known); near != "" {
		message = fmt.Sprintf("unknown key %q: did you mean %q?", key.Node.Value, near)
	}
	mistake := v.doc.Diagnostic(key.Position(), v.Path, "%s", message)
	mistake.UnknownKey = true
	v.doc.add(mistake)
}

// expect reports whether the value is of a kind and has no tag. If not, it records a mistake.
func (v Value) expect(kind yaml.Kind, what string) bool {
	if v.Node.Kind != kind || v.Tag() != "" {
		v.WrongType(what)
		return false
	}
	return true
}

// WrongType records that the value is not what it should be, such as "a list".
func (v Value) WrongType(want string) {
	got := map[yaml.Kind]string{
		yaml.MappingNode:  "a mapping",
		yaml.SequenceNode: "a list",
		yaml.ScalarNode:   fmt.Sprintf("%q", v.Node.Value),
	}[v.Node.Kind]
	if tag := v.Tag(); tag != "" {
		got = tag
	}
	v.Errorf("expected %s, found %s", want, got)
}
