package source

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/solver/pb"
)

// Diagnostic is a mistake in the input, or a warning about it. Its place is a position in the file,
// or the build argument that the value came from.
type Diagnostic struct {
	// Filename is the name of the file; empty if there is none.
	Filename string
	// Line and Column count from 1; 0 if there is no position.
	Line, Column int
	// Field is the path of the value, such as "runtimes[0].image".
	Field string
	// Arg is the build argument that gave the value, or a flag with its dashes; empty otherwise.
	Arg string
	// Message says what is wrong and what would be right.
	Message string
	// Rule is the name of the lint rule that found it; empty for a mistake, and for a warning about
	// something else than the file.
	Rule string
	// Err is the error that Message describes; nil for most.
	Err error
	// UnknownKey is true if the file has a key that this version does not know.
	UnknownKey bool

	line string // of the place
}

// Error returns the place, the message and, if there is one, the line with a caret below the
// column.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	b.WriteString(d.Summary())
	if d.line != "" {
		gutter := fmt.Sprintf("%4d | ", d.Line)
		part, indent := excerpt(d.line, d.Column)
		fmt.Fprintf(&b, "\n%s%s\n%s^", gutter, part, strings.Repeat(" ", len(gutter)+indent))
	}
	return b.String()
}

// Summary returns the place and the message on one line.
func (d *Diagnostic) Summary() string {
	var b strings.Builder
	switch {
	case strings.HasPrefix(d.Arg, "--"):
		fmt.Fprintf(&b, "%s: ", d.Arg)
	case d.Arg != "":
		fmt.Fprintf(&b, "build argument %s: ", d.Arg)
	case d.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", d.Filename, d.Line, d.Column)
	case d.Filename != "":
		fmt.Fprintf(&b, "%s: ", d.Filename)
	}
	if d.Field != "" && d.Arg == "" {
		fmt.Fprintf(&b, "%s: ", d.Field)
	}
	b.WriteString(d.Message)
	return b.String()
}

// Unwrap returns Err.
func (d *Diagnostic) Unwrap() error { return d.Err }

// Ranges returns the place in the form of BuildKit's source maps; nil if there is no position.
func (d *Diagnostic) Ranges() []*pb.Range {
	if d.Line == 0 {
		return nil
	}
	at := &pb.Position{Line: int32(d.Line), Character: int32(d.Column - 1)}
	return []*pb.Range{{Start: at, End: at}}
}

// excerptWidth is the number of characters of a long line that are shown.
const excerptWidth = 160

// excerpt returns the part of a line around a column, which counts from 1, and how many characters
// of it are before the column.
func excerpt(line string, column int) (part string, indent int) {
	start := max(column-1-excerptWidth/2, 0)
	from := offset(line, start)
	part = line[from:]
	part = strings.ReplaceAll(part[:offset(part, excerptWidth)], "\t", " ") // a tab's width varies
	return part, min(max(column-1-start, 0), utf8.RuneCountInString(part))
}

// offset returns where the character n of a text begins, or the text's length if it is shorter.
func offset(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// Diagnostics are all mistakes found in one input, in the order they were found.
type Diagnostics []*Diagnostic

// Error returns the mistakes one below the other.
func (e Diagnostics) Error() string {
	parts := make([]string, len(e))
	for i, err := range e {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "\n")
}

// Unwrap gives errors.As access to each mistake.
func (e Diagnostics) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}
