package source

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/suggest"
)

// What a file may have at most: far more than anyone writes by hand. Aliases make it easy to write
// more, and each is counted as what it stands for.
const (
	maxSize   = 8 << 20 // bytes
	maxDepth  = 100
	maxValues = 1_000_000
)

// Root returns the whole value of the file. Mistakes in the syntax, tags and keys of the file are
// recorded. The second result is false if there is nothing to read: the file is empty, is not YAML,
// or is too large.
func (d *Document) Root() (Value, bool) {
	if n := len(d.data); n > maxSize {
		d.ErrorAt(Position{}, "", "the file has %d bytes, and at most %d are read", n, maxSize)
		return Value{}, false
	}
	if i := invalidUTF8(d.data); i >= 0 {
		before := Lines(d.data[:i])
		column := 1 + utf8.RuneCountInString(before[len(before)-1])
		d.ErrorAt(Position{Line: len(before), Column: column}, "", "the file is not valid UTF-8 here: save it as UTF-8")
		return Value{}, false
	}
	var root yaml.Node
	err := yaml.Load(withoutVersion(d.data), &root, yaml.WithV4Defaults())
	if err != nil && strings.Contains(err.Error(), "no documents in stream") {
		return Value{}, false // nothing, or comments only
	}
	if err != nil {
		d.syntaxError(err)
		return Value{}, false
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return Value{}, false
	}
	c := checker{Document: d, anchors: map[*yaml.Node]extent{}}
	c.check("", root.Content[0], 1)
	return d.valueAt("", root.Content[0]), !c.endless
}

// versionDirective matches the directive that says which version of YAML a file uses. The parser
// reads 1.1 and 1.2, but knows the directive of 1.1 only.
var versionDirective = regexp.MustCompile(`^(\x{feff}?(?:(?:#[^\n]*)?\r?\n)*)%(YAML[ \t]+1\.[0-9]+[ \t]*(?:#[^\n]*)?\r?\n)`)

// withoutVersion turns the version directive into a comment, in the same place.
func withoutVersion(data []byte) []byte { return versionDirective.ReplaceAll(data, []byte("$1#$2")) }

func (d *Document) syntaxError(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		d.ErrorAt(Position{}, "", "cannot read the YAML: %v", err)
		return
	}
	message := strings.TrimPrefix(load.Message, "yaml: ")
	if strings.Contains(message, "cannot start any token") {
		message = "a tab or another character that YAML does not allow here: indent with spaces"
	}
	d.ErrorAt(Position{Line: load.Mark.Line, Column: load.Mark.Column}, "", "cannot read the YAML: %s", message)
}

// checker checks each value of a file once.
type checker struct {
	*Document
	anchors map[*yaml.Node]extent // zero while the value is checked
	endless bool                  // the file is too large to be read
}

// extent is the size of a value. Each alias counts as what it stands for.
type extent struct{ values, depth int }

// check checks a value and everything in it, and returns its extent. level is how deep the value is
// nested.
func (c *checker) check(path string, node *yaml.Node, level int) extent {
	if node.Kind == yaml.AliasNode {
		e := c.anchors[node.Alias]
		switch {
		case e == extent{}:
			c.end(path, node, "*%s stands for a value that it is a part of", node.Value)
		case level+e.depth-1 > maxDepth:
			c.end(path, node, "the values are nested more than %d deep", maxDepth)
		}
		return e
	}
	if level > maxDepth {
		c.end(path, node, "the values are nested more than %d deep", maxDepth)
		return extent{1, 1}
	}
	c.checkTag(path, node)
	e := extent{1, 1}
	add := func(path string, child *yaml.Node) {
		in := c.check(path, child, level+1)
		e = extent{min(e.values+in.values, maxValues+1), max(e.depth, in.depth+1)}
	}
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			add(fmt.Sprintf("%s[%d]", path, i), item)
		}
	case yaml.MappingNode:
		lines := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			add(path, key)
			c.checkKey(path, key, value, lines)
			add(Join(path, key.Value), value)
		}
	}
	if e.values > maxValues {
		c.end(path, node, "the file has more than %d values, each alias counted as what it stands for", maxValues)
	}
	if node.Anchor != "" {
		c.anchors[node] = e
	}
	return e
}

// end records, once, why the file cannot be read.
func (c *checker) end(path string, node *yaml.Node, format string, args ...any) {
	if !c.endless {
		c.endless = true
		c.ErrorAt(positionOf(node), path, format, args...)
	}
}

// checkTag refuses a tag that is written in the file and is neither one of YAML's own simple types
// nor one of the format. Such a tag is meant for another program, which may put a variable there.
func (c *checker) checkTag(path string, node *yaml.Node) {
	known := []string{"!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}
	if node.Style&yaml.TaggedStyle == 0 || slices.Contains(known, node.Tag) || slices.Contains(c.syntax.Tags, node.Tag) {
		return
	}
	advice := "write the value itself"
	if near := suggest.Nearest(node.Tag, c.syntax.Tags); near != "" {
		advice = "did you mean " + near + "?"
	} else if c.syntax.TagAdvice != "" {
		advice = c.syntax.TagAdvice
	}
	c.ErrorAt(positionOf(node), path, "the tag %s is unknown: %s", node.Tag, advice)
}

// checkKey checks that a key of a mapping is a string, and the first of its name. lines are the
// lines of the keys before it.
func (c *checker) checkKey(path string, key, value *yaml.Node, lines map[string]int) {
	at := positionOf(key)
	line, repeated := lines[key.Value]
	switch {
	case key.Value == mergeKey && !c.syntax.MergeKeys:
		c.ErrorAt(at, path, "merge keys (<<) are not supported: write the keys out, or use an anchor and an alias for the whole value")
	case key.Kind != yaml.ScalarNode:
		c.ErrorAt(at, path, "a key must be a plain string")
	case repeated:
		c.ErrorAt(at, Join(path, key.Value), "the key is repeated: it is already on line %d", line)
	case key.Value == mergeKey && !canMerge(value):
		c.ErrorAt(positionOf(value), path, "a merge key (<<) takes a mapping, or a list of mappings")
	default:
		lines[key.Value] = key.Line
	}
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
