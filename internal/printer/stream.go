package printer

import (
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Stream masks and escapes text that comes in pieces, as a program writes it. If a piece ends in
// the middle of a secret, a character or a colour, Stream keeps that end for the next piece.
type Stream struct {
	secrets *Secrets
	print   func(string) string
	kept    string
}

// NewStream returns a stream for people to read.
func NewStream(secrets *Secrets) *Stream { return &Stream{secrets: secrets, print: secrets.Text} }

// NewRawStream returns a stream for programs to read: nothing is escaped.
func NewRawStream(secrets *Secrets) *Stream { return &Stream{secrets: secrets, print: secrets.Mask} }

// colorBegun matches the beginning of a colour, or a carriage return, at the end of a text.
var colorBegun = regexp.MustCompile("(\x1b(\\[[0-9;:]{0,30})?|\r)$")

// Next returns the part of the text so far that can be printed.
func (s *Stream) Next(piece string) string {
	text := s.kept + piece
	keep := max(s.secrets.begun(text), partialRune(text))
	if loc := colorBegun.FindStringIndex(text); loc != nil {
		keep = max(keep, len(text)-loc[0])
	}
	s.kept = text[len(text)-keep:]
	return s.print(text[:len(text)-keep])
}

// Rest returns the kept end, at the end of the text.
func (s *Stream) Rest() string {
	rest := s.kept
	s.kept = ""
	return s.print(rest)
}

// partialRune returns the length of an unfinished UTF-8 sequence at the end of text.
func partialRune(text string) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(text)); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRuneInString(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// Lines is a writer that masks text line by line.
type Lines struct {
	secrets *Secrets
	out     io.Writer
	kept    string
}

// NewLines returns a writer to out that masks secrets.
func NewLines(secrets *Secrets, out io.Writer) *Lines { return &Lines{secrets: secrets, out: out} }

// longestLine is how many bytes of an unfinished line are kept back.
const longestLine = 64 << 10

// Write keeps an unfinished line for later.
func (l *Lines) Write(p []byte) (int, error) {
	l.kept += string(p)
	end := strings.LastIndexByte(l.kept, '\n') + 1
	if len(l.kept)-end > longestLine {
		end = len(l.kept)
	}
	if end == 0 {
		return len(p), nil
	}
	text := l.kept[:end]
	l.kept = l.kept[end:]
	if _, err := io.WriteString(l.out, l.secrets.Mask(text)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the kept text.
func (l *Lines) Flush() error {
	text := l.kept
	l.kept = ""
	_, err := io.WriteString(l.out, l.secrets.Mask(text))
	return err
}
