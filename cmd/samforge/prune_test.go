package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/builder"
)

func TestPruneSaysWhatItRemoved(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	c := &cobra.Command{}
	c.SetContext(t.Context())
	c.SetErr(&said)
	busy := errors.New("two is in use")
	err := removeFolders(c, []builder.StateFolder{{Path: "one", Bytes: 5e6}, {Path: "two", Bytes: 1e6}}, func(_ context.Context, dir string) error {
		if dir == "two" {
			return busy
		}
		return nil
	})
	if !errors.Is(err, busy) || said.String() != "samforge: removed 1 folder, 5MB\n" {
		t.Errorf("%v, %q", err, said.String())
	}
}

func TestPruneAsks(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, " Yes\n": true, "n\n": false, "\n": false, "": false} {
		c := &cobra.Command{}
		c.SetContext(t.Context())
		c.SetErr(io.Discard)
		c.SetIn(strings.NewReader(answer))
		if got, err := confirm(c, "Remove? "); err != nil || got != want {
			t.Errorf("%q: %t, %v", answer, got, err)
		}
	}
}

// A read of a terminal does not end with Ctrl-C.
func TestPruneEndsAtItsQuestion(t *testing.T) {
	t.Parallel()
	in, _ := io.Pipe()
	defer in.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &cobra.Command{}
	c.SetContext(ctx)
	c.SetErr(io.Discard)
	c.SetIn(in)
	if _, err := confirm(c, "Remove? "); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
