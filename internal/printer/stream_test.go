package printer

import (
	"bytes"
	"strings"
	"testing"
)

// The result is the same, however the text is cut.
func TestStreamOfPieces(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.Add("s3cr3t-token", "s3cr3t-token-2")
	text := "\x1b[31mError\x1b[0m\r\nAuthorization: Bearer s3cr3t-token-2 größer\ns3cr3t-toad \x1b]0;x\x07 end s3cr"
	want := "Error\nAuthorization: Bearer *** größer\ns3cr3t-toad " + `\x1b]0;x\x07` + " end s3cr"
	for size := 1; size <= len(text); size++ {
		stream := NewStream(&s)
		var got strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got.WriteString(stream.Next(rest[:n]))
			rest = rest[n:]
		}
		got.WriteString(stream.Rest())
		if got.String() != want {
			t.Errorf("in pieces of %d bytes: %q, want %q", size, got.String(), want)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.Add("s3cr3t-token")
	var out bytes.Buffer
	lines := NewLines(&s, &out)
	for _, piece := range []string{"one s3cr", "3t-token\ntwo", " s3cr3t-", "token"} {
		if n, err := lines.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := lines.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "one ***\ntwo ***"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
