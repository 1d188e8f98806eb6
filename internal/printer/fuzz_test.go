package printer

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzStream: text that comes in pieces is printed as the whole text is, and has no secret and
// nothing that cannot be printed.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{"a secret-word b", "\x1b[31mred\x1b[0m\r\nsecret-wordsecret-word-2", "äöü secret-\xc3", "https://user:pass@host/ x\x1b[", "a\r", "secret-wo"} {
		f.Add(seed, "secret-word", 1, 3)
		f.Add(seed, "ord-sec", 5, 9)
	}
	f.Fuzz(func(t *testing.T, text, secret string, one, two int) {
		var s Secrets
		s.Add(secret)
		one, two = place(text, one), place(text, two)
		if one > two {
			one, two = two, one
		}
		pieces := []string{text[:one], text[one:two], text[two:]}
		stream, raw := NewStream(&s), NewRawStream(&s)
		var got, plain strings.Builder
		for _, piece := range pieces {
			got.WriteString(stream.Next(piece))
			plain.WriteString(raw.Next(piece))
		}
		got.WriteString(stream.Rest())
		plain.WriteString(raw.Rest())
		if whole := s.replace(text); !strings.Contains(text, "://") && plain.String() != whole {
			t.Errorf("%q is printed as %q, and whole as %q", pieces, plain.String(), whole)
		}
		for _, r := range got.String() {
			if !isPrintable(r) && r != '\n' && r != '\t' && r != '\x1b' {
				t.Errorf("%q has %U", got.String(), r)
			}
		}
		secret = strings.TrimSpace(secret)
		if len(secret) < shortest || strings.ContainsAny(secret, "x\x00\n") || strings.Contains(secret, mask) {
			return // too short, or what hides it looks like it
		}
		if strings.Contains(secretless(plain.String()), secret) {
			t.Errorf("%q shows the secret %q", plain.String(), secret)
		}
		var out bytes.Buffer
		lines := NewLines(&s, &out)
		for _, piece := range pieces {
			if n, err := lines.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if err := lines.Flush(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(secretless(out.String()), secret) {
			t.Errorf("%q shows the secret %q", out.String(), secret)
		}
	})
}

// place returns a place in a text.
func place(text string, n int) int {
	if n < 0 {
		n = -(n + 1)
	}
	return n % (len(text) + 1)
}

// secretless returns printed text without the marks of what was hidden, which could make a secret
// with the text around them.
func secretless(text string) string { return strings.ReplaceAll(text, mask, "\x00") }

// FuzzAddFile: whatever a file of secrets is, none of its lines is printed whole, unless the line
// is known to be public.
func FuzzAddFile(f *testing.F) {
	for _, seed := range []string{
		"//registry.example.com/:_authToken=npm_0123456789\nregistry=https://registry.example.com/\n", `{"auths": {"a": {"auth": "dXNlcjpwYXNzd29yZA=="}}}`, "token-of-one-line",
		"machine host login user password pass-word\n", "-----BEGIN KEY-----\nAAAABBBB\n-----END KEY-----\n", "a=https://user:password@host\n", "{\"a\": [1, null]}", "a=b==\n", "\x00=\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Secrets
		s.AddFile(data)
		masked := s.Mask(string(data))
		if !utf8.Valid(data) {
			return
		}
		if !utf8.ValidString(masked) {
			t.Errorf("%q is printed as %q", data, masked)
		}
		if text := strings.TrimSpace(string(data)); len(text) >= shortest && !strings.ContainsAny(text, "= \n{[\"") && !strings.Contains(text, "-----") && strings.Contains(masked, text) && !isJSON(text) {
			t.Errorf("%q is printed as %q", data, masked)
		}
	})
}

// isJSON reports whether a text is a number or a word of JSON, which is no secret.
func isJSON(text string) bool { return strings.Trim(text, "0123456789.eE+-") == "" }
