package printer

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFile(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.Add("s3cr3t-token")
	const text = "\x1b[2J s3cr3t-token"
	for name, tc := range map[string]struct {
		people bool
		want   string
	}{
		"what people read":   {true, `\x1b[2J ***`},
		"what programs read": {false, text},
	} {
		path := filepath.Join(t.TempDir(), "out")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out := &File{f, &s, tc.people}
		_, _ = out.Write([]byte(text))
		_, _ = out.WriteString(text)
		_, _ = io.Copy(out, strings.NewReader(text))
		if dt, _ := os.ReadFile(path); string(dt) != tc.want+tc.want+tc.want {
			t.Errorf("%s: %q", name, dt)
		}
		if Raw(out) != io.Writer(f) || Raw(f) != io.Writer(f) {
			t.Errorf("%s: not the underlying writer", name)
		}
	}
}

// Printing to a full disk is an error.
func TestFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer full.Close()
	if _, err := io.WriteString(&File{full, &Secrets{}, true}, "text"); err == nil {
		t.Error("no error")
	}
}
