package rules_test

import (
	"errors"
	"testing"

	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/source"
)

// FuzzRead: whatever the check directives of a file, there is a choice with findings at lines of
// the file, or there are mistakes at lines of it.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"# check=skip=RuntimeEndOfLife;error=true\nkind: sam\n", "# a\n#check = experimental=all\n# check=skip=all\n", "kind: sam\n# check=skip=X\n", "# check=error=maybe", "\ufeff# CHECK=skip=A,,B\r\n",
		"# check=;", "# check=skip\n", "# check=skip=Runtim\u2028#check=error=true",
	} {
		f.Add([]byte(seed), "skip=RuntimeEndOfLife")
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, data []byte, arg string) {
		for _, of := range []*string{nil, &arg} {
			doc := source.New("samforge.yaml", data, source.Syntax{})
			choice, findings := rules.Read(doc, data, rules.Template, of)
			var mistakes source.Diagnostics
			if err := doc.Err(); err != nil && !errors.As(err, &mistakes) {
				t.Fatalf("%T is no list of mistakes", err)
			}
			for _, d := range append(findings, mistakes...) {
				if d.Line > len(source.Lines(data)) || of == nil && d.Line < 1 {
					t.Errorf("%v is at no line of the file", d)
				}
			}
			if choice.Skips("RuntimeEndOfLife") && choice.Wants("RuntimeEndOfLife") {
				t.Error("a rule is skipped and wanted")
			}
		}
	})
}
