// Package printer makes text from elsewhere safe to print: it masks the secrets that samforge
// served, and escapes characters that would control a terminal.
package printer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// color matches the sequences that programs colour their output with.
var color = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// Escape returns text with every character that a terminal would act upon escaped, as in \x1b or
// \u202e: control characters except line feeds and tabs, marks that change the direction of
// writing, and bytes that are not UTF-8. It removes colours, and starts a new line at a carriage
// return.
func Escape(text string) string {
	if isPlain(text) {
		return text
	}
	text = color.ReplaceAllString(text, "")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case isPrintable(r):
			out.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&out, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
		i += size
	}
	return out.String()
}

// EscapeLine is Escape for text that must stay on one line, such as a name.
func EscapeLine(text string) string { return strings.ReplaceAll(Escape(text), "\n", `\n`) }

// isPlain reports whether text is all printable ASCII, as most text is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

func isPrintable(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d': // the two joiners are part of words and emoji
		return true
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
