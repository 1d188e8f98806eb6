package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the findings for people: one line each, details and remedies indented.
func Write(w io.Writer, findings []Finding) error {
	var text strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&text, "%-8s %s: %s\n", f.Level, f.Check, indent(f.Detail, 9))
		for _, r := range f.Remedies {
			if strings.Contains(r.Lines, "\n") {
				fmt.Fprintf(&text, "         %s:\n           %s\n", r.Where, indent(r.Lines, 11))
				continue
			}
			fmt.Fprintf(&text, "         %s: %s\n", r.Where, r.Lines)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// indent puts spaces before all lines but the first.
func indent(text string, spaces int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", spaces))
}
