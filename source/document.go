// Package source reads YAML and JSON files strictly, and reports mistakes with their lines.
package source

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/samforge/samforge/internal/credentials"
)

// Document is a file that is read. It collects the mistakes, and remembers the places of decoded
// values, so that later checks can point at them too.
type Document struct {
	filename string
	data     []byte
	syntax   Syntax
	lines    func() []string // as messages show them
	places   map[string]Position
	hidden   map[int]bool // lines that messages do not show
	errs     Diagnostics
	more     int // mistakes that are not in errs, which are very many
}

// Syntax says what a format has beside plain YAML. The zero value is strict.
type Syntax struct {
	// Tags are those of the format, such as CloudFormation's !Ref. Any other tag is a mistake.
	Tags []string
	// TagAdvice says what to write in place of an unknown tag. There is a default.
	TagAdvice string
	// MergeKeys lets a mapping take in the keys of others, as in `<<: *common`.
	MergeKeys bool
}

// New returns the document of a file with this content. The name is for messages; it is empty if
// there is no file.
func New(filename string, data []byte, syntax Syntax) *Document {
	lines := sync.OnceValue(func() []string { return shownLines(data) })
	return &Document{filename: filename, data: data, syntax: syntax, lines: lines, places: map[string]Position{}, hidden: map[int]bool{}}
}

// Position is where a value came from.
type Position struct {
	// Line and Column count from 1; 0 if there is no position.
	Line, Column int
	// Arg is the build argument that gave the value; empty otherwise.
	Arg string
}

// Filename returns the name of the file.
func (d *Document) Filename() string { return d.filename }

// Given reports whether there is a value at path.
func (d *Document) Given(path string) bool {
	_, given := d.places[path]
	return given
}

// Set records that the value at path, and all below it, came from at and not from the file.
func (d *Document) Set(path string, at Position) {
	d.Forget(path + ".")
	d.places[path] = at
}

// Forget forgets the places of the values whose paths begin with prefix.
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

// Errorf records a mistake in the value at path. If the file does not mention it, the mistake is at
// the beginning.
func (d *Document) Errorf(path, format string, args ...any) {
	mistake := d.At(path, format, args...)
	if mistake.Line == 0 && mistake.Arg == "" {
		mistake = d.Diagnostic(d.places[""], path, format, args...)
	}
	d.add(mistake)
}

// ErrorAt records a mistake at a position.
func (d *Document) ErrorAt(at Position, path, format string, args ...any) {
	d.add(d.Diagnostic(at, path, format, args...))
}

// At returns a diagnostic about the value at path, without recording it. If the value was not
// given, its place is the nearest list or mapping around it, if any.
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

// Diagnostic returns a diagnostic about a position, without recording it. path names the value
// there; it may be empty.
func (d *Document) Diagnostic(at Position, path, format string, args ...any) *Diagnostic {
	if at.Line > 0 {
		at = d.within(at)
	}
	diagnostic := &Diagnostic{
		Filename: d.filename,
		Line:     at.Line,
		Column:   at.Column,
		Field:    credentials.Mask(path),
		Arg:      at.Arg,
		Message:  credentials.Mask(fmt.Sprintf(format, args...)),
	}
	if at.Line > 0 && !d.hidden[at.Line] {
		diagnostic.line = d.lines()[at.Line-1]
	}
	return diagnostic
}

// within returns the end of the file for a position past it, where the parser puts what is missing.
func (d *Document) within(at Position) Position {
	if last := len(d.lines()); at.Line > last {
		at.Line, at.Column = last, 1+utf8.RuneCountInString(d.lines()[last-1])
	}
	return at
}

// HideLine keeps messages from showing a line of the file, because it has a secret in it.
func (d *Document) HideLine(line int) {
	d.hidden[line] = true
	for _, mistake := range d.errs {
		if mistake.Line == line {
			mistake.line = ""
		}
	}
}

// HideValue hides a line of the file if a value stands in it.
func (d *Document) HideValue(line int, value string) {
	if lines := d.lines(); value != "" && line > 0 && line <= len(lines) && strings.Contains(lines[line-1], value) {
		d.HideLine(line)
	}
}

// HideBlock hides the line of a key, and the lines after it that are indented more.
func (d *Document) HideBlock(key Position) {
	d.HideLine(key.Line)
	for i, line := range d.lines() {
		text := strings.TrimLeft(line, " ")
		switch {
		case i < key.Line || text == "":
		case len(line)-len(text) < key.Column:
			return
		default:
			d.HideLine(i + 1)
		}
	}
}

// Shown returns the text of the file as messages may show it: with the same lines, but without the
// hidden ones and without credentials.
func (d *Document) Shown() []byte {
	lines := slices.Clone(d.lines())
	for line := range d.hidden {
		if line <= len(lines) {
			lines[line-1] = "****"
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// Join returns the path of a key of the value at path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// lineBreak matches what the YAML parser counts as the end of a line:
// https://yaml.org/spec/1.1/#id871136
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Lines returns the lines of a file, without their ends.
func Lines(data []byte) []string { return lineBreak.Split(string(data), -1) }

// shownLines returns the lines as messages may show them.
func shownLines(data []byte) []string { return Lines([]byte(credentials.Mask(string(data)))) }
