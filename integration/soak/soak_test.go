package main

import (
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// The short form of the soak: a fixed plan of faults over a fixed number of runs.
func TestSoak(t *testing.T) {
	t.Parallel()
	samforge, err := testenv.BuildSamforge(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = whole(t.Context(), options{seed: 13, rounds: 2, duration: time.Hour, atOnce: 4, quick: true, samforge: samforge, out: t.Output(), progress: t.Output()})
	if err != nil {
		t.Error(err)
	}
}
