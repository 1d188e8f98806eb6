package lock

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// A report names what was added, removed and moved, in both forms.
func TestReport(t *testing.T) {
	t.Parallel()
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	read := func(entries string) *llbgen.Lockfile {
		t.Helper()
		lockfile, err := llbgen.ParseLockfile("samforge.lock", []byte("version: 1\ndownloads:\n"+entries))
		if err != nil {
			t.Fatal(err)
		}
		return lockfile
	}
	before := read("  https://a.example.com/gone: " + one + "\n  https://a.example.com/tool: " + one + "\n")
	l := &locking{path: "ci/samforge.lock", before: before}
	after := read("  https://a.example.com/new: " + two + "\n  https://a.example.com/tool: " + two + "\n")

	var table, document strings.Builder
	report := l.report(after)
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if want := "removed  https://a.example.com/gone  " + one + "\nadded    https://a.example.com/new   " + two + "\nmoved    https://a.example.com/tool  " + one + " -> " + two + "\n"; table.String() != want {
		t.Errorf("the table is\n%s\nand not\n%s", table.String(), want)
	}
	if err := report.WriteJSON(&document); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"file": "ci/samforge.lock"`, `"upToDate": false`, `"change": "moved"`, `"before": "` + one + `"`} {
		if !strings.Contains(document.String(), want) {
			t.Errorf("%s is not in\n%s", want, document.String())
		}
	}
	document.Reset()
	if err := l.report(before).WriteJSON(&document); err != nil || !strings.Contains(document.String(), `"upToDate": true`+",\n  "+`"changes": []`) {
		t.Errorf("%v:\n%s", err, document.String())
	}
}
