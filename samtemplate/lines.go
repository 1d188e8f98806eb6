package samtemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// lines is a text with the places of its lines, as the YAML parser counts them.
type lines struct {
	data  []byte
	start []int  // of each line
	stop  []int  // of each line, before its end
	eol   string // the end of the first line

	// Where the last offset was asked for: the next one is mostly behind it, perhaps on the same
	// very long line.
	line, column, last int
}

// lineBreak matches what the YAML parser counts as the end of a line:
// https://yaml.org/spec/1.1/#id871136
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

var byteOrderMark = []byte("\ufeff")

func newLines(data []byte) *lines {
	t := &lines{data: data, eol: "\n"}
	if first := lineBreak.Find(data); first != nil {
		t.eol = string(first)
	}
	at := 0
	if bytes.HasPrefix(data, byteOrderMark) {
		at = len(byteOrderMark) // the parser does not count it
	}
	for _, found := range lineBreak.FindAllIndex(data, -1) {
		t.start, t.stop = append(t.start, at), append(t.stop, found[0])
		at = found[1]
	}
	t.start, t.stop = append(t.start, at), append(t.stop, len(data))
	return t
}

// offset returns where a column of a line is. Both count from 1.
func (t *lines) offset(line, column int) int {
	if line > len(t.start) {
		return len(t.data)
	}
	if line != t.line || column < t.column {
		t.line, t.column, t.last = line, 1, t.start[line-1]
	}
	for ; t.column < column && t.last < t.stop[line-1]; t.column++ {
		_, size := utf8.DecodeRune(t.data[t.last:])
		t.last += size
	}
	return t.last
}

// lineAt returns the index of the line that an offset is in.
func (t *lines) lineAt(offset int) int {
	i, found := slices.BinarySearch(t.start, offset)
	if found {
		return i
	}
	return max(i-1, 0)
}

// indent returns how many spaces a line begins with, and whether there is anything else in it.
func (t *lines) indent(line int) (spaces int, ok bool) {
	text := t.data[t.start[line]:t.stop[line]]
	rest := bytes.TrimLeft(text, " ")
	return len(text) - len(rest), len(bytes.TrimLeft(rest, "\t")) > 0
}

// at returns the byte at an offset; 0 at the end of the text.
func (t *lines) at(offset int) byte {
	if offset >= len(t.data) {
		return 0
	}
	return t.data[offset]
}

// edit replaces the part of a text between two offsets.
type edit struct {
	from, to int
	text     string
}

// apply returns the text with the edits.
func (t *lines) apply(edits []edit) ([]byte, error) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.from < at || e.to < e.from || e.to > len(t.data) {
			return nil, errors.New("two functions have their ImageUri in the same place of the template: write the properties of one of them out")
		}
		out.Write(t.data[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(t.data[at:])
	return out.Bytes(), nil
}

// plainScalar matches strings that need no quotes in YAML and that are nothing else in it, such as
// the references of images.
var plainScalar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]*/[A-Za-z0-9._:@/-]*[A-Za-z0-9]$`)

// quoted returns a string as JSON and YAML have it.
func quoted(value string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return `""`
	}
	return strings.TrimSuffix(out.String(), "\n")
}
