package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The short form of the soak: a fixed plan of faults over a fixed number of runs.
func TestSoak(t *testing.T) {
	t.Parallel()
	samforge := filepath.Join(t.TempDir(), "samforge")
	if out, err := exec.Command("go", "build", "-o", samforge, "../../cmd/samforge").CombinedOutput(); err != nil {
		t.Fatalf("build samforge: %v\n%s", err, out)
	}
	err := whole(t.Context(), options{seed: 13, rounds: 2, duration: time.Hour, atOnce: 4, quick: true, samforge: samforge, out: t.Output(), progress: t.Output()})
	if err != nil {
		t.Error(err)
	}
}
