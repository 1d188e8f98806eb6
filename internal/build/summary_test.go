package build

import (
	"bytes"
	"strings"
	"testing"
)

// Who asks for a dry run knows that nothing is pushed, and a step has no flags to add.
func TestNothingPushedIsAWarningUnlessAsked(t *testing.T) {
	t.Parallel()
	for dry, want := range map[bool]bool{false: true, true: false} {
		var out bytes.Buffer
		r := &report{opt: Options{DryRun: dry, Summary: SummaryNone, Stderr: &out}, built: []Built{{}}}
		if err := r.writeSummary(Summary{}); err != nil || strings.Contains(out.String(), "WARNING: not pushed") != want {
			t.Errorf("dry run %t: %v, %q", dry, err, out.String())
		}
	}
}
