package printer

import "testing"

func TestEscape(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"plain text stays":                     {"npm ci\n\tadded 400 packages", "npm ci\n\tadded 400 packages"},
		"words of all languages stay":          {"größer, 日本語, ไทย, 👩‍🔧 é", "größer, 日本語, ไทย, 👩‍🔧 é"},
		"a terminal's title":                   {"a\x1b]0;owned\x07b", `a\x1b]0;owned\x07b`},
		"the screen is cleared":                {"\x1b[2J\x1b[H", `\x1b[2J\x1b[H`},
		"colours are left out":                 {"\x1b[1;31merror\x1b[0m: no", "error: no"},
		"a colour cannot hide a command":       {"\x1b[\x1b[31m2J", `\x1b[2J`},
		"control characters of 8 bits":         {"\u009b2J", `\u009b2J`},
		"the direction of writing is reversed": {"safe\u202egnp.exe", `safe\u202egnp.exe`},
		"isolates and marks":                   {"\u2066a\u2069\u200f\u061c", `\u2066a\u2069\u200f\u061c`},
		"a line that is overwritten":           {"real\rfake", "real\nfake"},
		"the line ends of Windows":             {"a\r\nb", "a\nb"},
		"backspace and bell":                   {"a\bb\a", `a\x08b\x07`},
		"bytes that are not UTF-8":             {"a\xff\xc3", `a\xff\xc3`},
		"other line breaks":                    {"a\u2028b\u2029c", `a\u2028b\u2029c`},
		"what is invisible":                    {"a\ufeffb\U000e0041", `a\ufeffb\U000e0041`},
	} {
		if got := Escape(tc.text); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
		if again := Escape(Escape(tc.text)); again != tc.want {
			t.Errorf("%s: escaped twice it is %q", name, again)
		}
	}
	if got := EscapeLine("a\nb\r\x1bc"); got != `a\nb\n\x1bc` {
		t.Errorf("on one line: %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[31m\x1b]0;x\x07")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Escape(text) {
			if !isPrintable(r) {
				t.Fatalf("%q has %U", Escape(text), r)
			}
		}
	})
}
