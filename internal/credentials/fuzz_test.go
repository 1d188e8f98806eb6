package credentials_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/samforge/samforge/internal/credentials"
)

// FuzzMask: a masked text has no credentials, and every other character at its place.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{
		"https://user:pass@host/a", "git+ssh://git@host/a b", "a://b:c@d e://f:g@h", "https://[::1]:80/@", "ssh://u:p/w@host", "tcp://token@host", "docker.io/a@sha256:0", "x://a:b\u2028@c",
		"https://ü:ö@host\nhttp://a@b", "https://a:b#c@d", "://", "https://https://a:b@c@d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		masked := credentials.Mask(text)
		if masked != text && !credentials.In(text) {
			t.Errorf("%q has no credentials, and is masked as %q", text, masked)
		}
		if utf8.RuneCountInString(masked) != utf8.RuneCountInString(text) || strings.Count(masked, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q is masked as %q, which is longer or shorter", text, masked)
		}
		before, after := []rune(text), []rune(masked)
		for i, r := range after {
			if i < len(before) && r != before[i] && r != 'x' {
				t.Fatalf("%q is masked as %q, with another character at %d", text, masked, i)
			}
		}
		if again := credentials.Mask(masked); again != masked {
			t.Errorf("%q is masked as %q, and then as %q", text, masked, again)
		}
	})
}
