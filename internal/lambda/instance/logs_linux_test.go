package instance

import (
	"strings"
	"testing"
)

// The output is passed on as it is, however it is cut into parts; a flush ends the last line.
func TestLogs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		written []string // with a flush after each
		want    string
	}{
		"lines":                 {[]string{"one\ntwo\n", "three\n"}, "one\ntwo\nthree\n"},
		"no newline":            {[]string{"one", "two"}, "one\ntwo\n"},
		"nothing":               {[]string{"", ""}, ""},
		"a line over a buffer":  {[]string{strings.Repeat("x", 3*logBuffer)}, strings.Repeat("x", 3*logBuffer) + "\n"},
		"a buffer but one byte": {[]string{strings.Repeat("x", logBuffer-1)}, strings.Repeat("x", logBuffer-1) + "\n"},
		"bytes of a marker":     {[]string{"\x00", "\x00\x00\n"}, "\x00\n\x00\x00\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			l, err := newLogs(func(text []byte) { got.Write(text) })
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range c.written {
				if _, err := l.pipe.WriteString(text); err != nil {
					t.Fatal(err)
				}
				l.flush()
			}
			if err := l.pipe.Close(); err != nil {
				t.Fatal(err)
			}
			<-l.over
			if got.String() != c.want {
				t.Errorf("got %d bytes, want %d: %.40q", got.Len(), len(c.want), got.String())
			}
		})
	}
}
