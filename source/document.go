// Package source reads YAML and JSON files strictly, and says of each mistake where it stands and what
// would be right.
package source

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/suggest"
)

// Document decodes a file strictly and remembers where each value stands, so that later checks can
// point at it too. It collects the mistakes that are found.
type Document struct {
	filename string
	data     []byte
	lines    []string // as messages show them
	places   map[string]Position
	errs     Diagnostics
	more     int // mistakes that are not in errs, which are very many
}

// New returns the document of a file with this content. The name is for messages, and empty where
// there is no file.
func New(filename string, data []byte) *Document {
	return &Document{filename: filename, data: data, lines: shownLines(data), places: map[string]Position{}}
}

// Position is where a value came from.
type Position struct {
	// Line and Column count from 1; 0 when there is no position.
	Line, Column int
	// Arg is the build argument that gave the value; empty otherwise.
	Arg string
}

func positionOf(node *yaml.Node) Position { return Position{Line: node.Line, Column: node.Column} }

// Filename returns the name of the file.
func (d *Document) Filename() string { return d.filename }

// Decode reads the file into out, a pointer to a struct with yaml tags. Unknown
// keys, repeated keys and wrong types are all collected as mistakes.
//
// A field with the tag ",inline" is a map whose keys are keys of the struct too, and whose values
// are pointers to structs.
func (d *Document) Decode(out any) {
	data := d.data
	if i := invalidUTF8(data); i >= 0 {
		before := Lines(data[:i])
		column := 1 + utf8.RuneCountInString(before[len(before)-1])
		d.ErrorAt(Position{Line: len(before), Column: column}, "", "the file is not valid UTF-8 here: save it as UTF-8")
		return
	}
	var root yaml.Node
	err := yaml.Load(withoutVersion(data), &root, yaml.WithV4Defaults())
	if err != nil && strings.Contains(err.Error(), "no documents in stream") {
		return // nothing, or comments only: the checks say what is missing
	}
	if err != nil {
		d.syntaxError(err)
		return
	}
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		d.value("", root.Content[0], reflect.ValueOf(out).Elem())
	}
}

// versionDirective says which YAML a file is written in, as one of 1.2 may. The parser knows the
// directive of 1.1 only, and reads both.
var versionDirective = regexp.MustCompile(`^(\x{feff}?(?:(?:#[^\n]*)?\r?\n)*)%(YAML[ \t]+1\.[0-9]+[ \t]*(?:#[^\n]*)?\r?\n)`)

// withoutVersion makes a comment of the version directive, at the same place.
func withoutVersion(data []byte) []byte { return versionDirective.ReplaceAll(data, []byte("$1#$2")) }

// checkTag refuses a tag that is written in the file and not one of YAML's own simple types. It is
// meant for another program, such as one that puts a variable there.
func (d *Document) checkTag(path string, node *yaml.Node) {
	known := []string{"!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}
	if node.Style&yaml.TaggedStyle != 0 && !slices.Contains(known, node.Tag) {
		d.ErrorAt(positionOf(node), path, "the tag %s is unknown: write the value itself, or give it with a build argument", node.Tag)
	}
}

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

// maxEntries is the most entries of a list: far more than anyone has base images. Aliases make it
// easy to write more.
const maxEntries = 10_000

// value decodes node into v, which is a struct, a slice of structs, a map of
// strings or a string.
func (d *Document) value(path string, node *yaml.Node, v reflect.Value) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.places[path] = positionOf(node)
	d.checkTag(path, node)
	if isNull(node) {
		return // as if it was not there
	}
	if off, ok := v.Addr().Interface().(Switchable); ok && node.Kind == yaml.ScalarNode {
		d.boolean(path, node, off)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if node.Kind != yaml.ScalarNode {
			d.wrongType(path, node, "a string")
			return
		}
		v.SetString(node.Value)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			d.wrongType(path, node, "a list")
			return
		}
		if n := len(node.Content); n > maxEntries {
			d.Errorf(path, "the list has %d entries, and at most %d can be in one file: split it", n, maxEntries)
			return
		}
		for i, item := range node.Content {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.value(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		d.mapping(path, node, func(key *yaml.Node, node *yaml.Node) {
			if isNull(node) {
				return
			}
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(Join(path, key.Value), node, item)
			v.SetMapIndex(reflect.ValueOf(key.Value), item)
		})
	case reflect.Struct:
		fields := fieldsOf(v)
		d.mapping(path, node, func(key *yaml.Node, node *yaml.Node) {
			field, ok := fields[key.Value]
			if !ok {
				d.unknownKey(path, key, fields)
				return
			}
			d.value(Join(path, key.Value), node, field)
		})
	}
}

// isNull reports whether a value is a null, which is as if it was not there.
func isNull(node *yaml.Node) bool {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

// Switchable is a value that the file may leave out by writing false in its place.
type Switchable interface {
	// Disable is called when it says so.
	Disable()
}

// boolean handles the fields that may be switched off with `false`.
func (d *Document) boolean(path string, node *yaml.Node, off Switchable) {
	switch value := strings.ToLower(node.Value); {
	case node.Tag == "!!bool" && value == "false":
		off.Disable()
	case node.Tag == "!!bool" && value == "true": // the default
	case value == "false":
		d.Errorf(path, "%q in quotes is a string: write it without quotes", node.Value)
	default:
		d.wrongType(path, node, "a mapping, or false to leave it out")
	}
}

// mapping calls fn for each key of a mapping, which must be unique strings.
func (d *Document) mapping(path string, node *yaml.Node, fn func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.wrongType(path, node, "a mapping of keys to values")
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		at := positionOf(key)
		d.checkTag(path, key)
		switch line, repeated := first[key.Value]; {
		case key.Value == "<<":
			d.ErrorAt(at, path, "merge keys (<<) are not supported: write the keys out, or use an anchor and an alias for the whole value")
		case key.Kind != yaml.ScalarNode:
			d.ErrorAt(at, path, "a key must be a plain string")
		case repeated:
			d.ErrorAt(at, Join(path, key.Value), "the key stands twice; it was set on line %d already", line)
		default:
			first[key.Value] = key.Line
			fn(key, node.Content[i+1])
		}
	}
}

func (d *Document) unknownKey(path string, key *yaml.Node, fields map[string]reflect.Value) {
	known := make([]string, 0, len(fields))
	for name := range fields {
		known = append(known, name)
	}
	slices.Sort(known)
	message := fmt.Sprintf("unknown key %q; known keys are %s", key.Value, strings.Join(known, ", "))
	if near := suggest.Nearest(key.Value, known); near != "" {
		message = fmt.Sprintf("unknown key %q: did you mean %q?", key.Value, near)
	}
	mistake := d.Diagnostic(positionOf(key), path, "%s", message)
	mistake.UnknownKey = true
	d.add(mistake)
}

func (d *Document) wrongType(path string, node *yaml.Node, want string) {
	got := map[yaml.Kind]string{
		yaml.MappingNode:  "a mapping",
		yaml.SequenceNode: "a list",
		yaml.ScalarNode:   fmt.Sprintf("%q", node.Value),
	}[node.Kind]
	d.ErrorAt(positionOf(node), path, "expected %s, found %s", want, got)
}

// Given reports whether there is a value at path.
func (d *Document) Given(path string) bool {
	_, given := d.places[path]
	return given
}

// Set notes that the value at path and all below it came from somewhere else, in place of what the
// file said there.
func (d *Document) Set(path string, at Position) {
	d.Forget(path + ".")
	d.places[path] = at
}

// Forget forgets where the values stand whose paths begin with prefix.
func (d *Document) Forget(prefix string) {
	maps.DeleteFunc(d.places, func(path string, _ Position) bool { return strings.HasPrefix(path, prefix) })
}

// maxMistakes is how many mistakes of one file are reported.
const maxMistakes = 100

// Err returns the mistakes that were found, as [Diagnostics]; nil for none.
func (d *Document) Err() error {
	switch {
	case len(d.errs) == 0:
		return nil
	case d.more > 0:
		return append(d.errs, d.Diagnostic(Position{}, "", "%d more mistakes are not shown", d.more))
	}
	return d.errs
}

// Count returns how many mistakes were found.
func (d *Document) Count() int { return len(d.errs) + d.more }

// add records a mistake.
func (d *Document) add(mistake *Diagnostic) {
	if len(d.errs) < maxMistakes {
		d.errs = append(d.errs, mistake)
	} else {
		d.more++
	}
}

// Errorf records a mistake in the value at path. Where the file says nothing of
// it, it points at the beginning.
func (d *Document) Errorf(path, format string, args ...any) {
	mistake := d.At(path, format, args...)
	if mistake.Line == 0 && mistake.Arg == "" {
		mistake = d.Diagnostic(d.places[""], path, format, args...)
	}
	d.add(mistake)
}

// ErrorAt records a mistake at a place of its own.
func (d *Document) ErrorAt(at Position, path, format string, args ...any) {
	d.add(d.Diagnostic(at, path, format, args...))
}

// At returns what there is to say about the value at path; when the value was
// not given, it points at the nearest list or mapping around it, if any.
func (d *Document) At(path, format string, args ...any) *Diagnostic {
	var at Position
	for near := path; near != ""; near = near[:max(strings.LastIndexAny(near, ".["), 0)] {
		if p, ok := d.places[near]; ok {
			at = p
			break
		}
	}
	return d.Diagnostic(at, path, format, args...)
}

// Diagnostic returns what there is to say about a place, and about the value at path if that is not
// empty.
func (d *Document) Diagnostic(at Position, path, format string, args ...any) *Diagnostic {
	diagnostic := &Diagnostic{
		Filename: d.filename,
		Line:     at.Line,
		Column:   at.Column,
		Field:    credentials.Mask(path),
		Arg:      at.Arg,
		Message:  credentials.Mask(fmt.Sprintf(format, args...)),
	}
	if i := at.Line - 1; i >= 0 && i < len(d.lines) {
		diagnostic.line = d.lines[i]
	}
	return diagnostic
}

// inline is the tag of a field whose keys are keys of the struct.
const inline = ",inline"

// fieldsOf maps the keys of a struct to its fields.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Tag.Get("yaml"); name {
		case "-":
		case inline:
			for _, key := range v.Field(i).MapKeys() {
				fields[key.String()] = v.Field(i).MapIndex(key).Elem().Elem()
			}
		default:
			fields[name] = v.Field(i)
		}
	}
	return fields
}

// Join returns the path of a key of the value at path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// lineBreak is what ends a line for the YAML parser, which counts them:
// https://yaml.org/spec/1.1/#id871136
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Lines returns the lines of a file, without what ends them.
func Lines(data []byte) []string { return lineBreak.Split(string(data), -1) }

// shownLines returns the lines as messages may show them.
func shownLines(data []byte) []string { return Lines([]byte(credentials.Mask(string(data)))) }

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
