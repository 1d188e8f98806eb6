// Command soak runs samforge for a while as a busy CI system does, on a builder and a registry that
// fail: several clients at a time build, package and invoke, and meanwhile buildkitd, the registry,
// the network and clients are killed or held up by a plan that a seed decides. Then it checks that
// each run ended as it would have without faults or said why not, that nothing is lost, pushed twice
// or left behind, and that memory is flat. It exits with 1 if one of that does not hold.
//
// -seed repeats the plan: the order of the runs, and which fault comes after how many events. An
// event is a line that a client prints or a request to the registry. How the runs interleave is not
// repeated.
//
// It needs what integration/bench needs, and leaves nothing behind except stand-ins in the user's
// cache directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

func main() {
	o := options{out: os.Stdout, progress: os.Stderr}
	flag.Uint64Var(&o.seed, "seed", rand.Uint64N(1e6), "decides the order of the runs and the faults")
	flag.DurationVar(&o.duration, "for", 17*time.Minute, "how long new runs begin, after the set-up")
	flag.IntVar(&o.rounds, "rounds", 0, "end after so many rounds; a round has every task once (default: as -for says)")
	flag.IntVar(&o.atOnce, "at-once", 4, "how many runs go on at a time")
	flag.BoolVar(&o.quick, "quick", false, "leave out the tasks that pull large images")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() (err error) {
		if o.samforge, err = testenv.Tool("samforge"); err != nil {
			return err
		}
		return whole(ctx, o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options say how long the soak goes on and how.
type options struct {
	seed     uint64
	duration time.Duration
	rounds   int // 0 means no limit
	atOnce   int
	quick    bool
	samforge string // the program

	out, progress io.Writer
}

// whole does everything, and returns an error if something does not hold.
func whole(ctx context.Context, o options) (err error) {
	if o.atOnce < 1 || o.rounds < 0 {
		return errors.New("-at-once must be at least 1, -rounds at least 0")
	}
	s := newSoak(o)
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Fprintf(o.out, "samforge soak: -seed %d\n", o.seed)
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.references(ctx); err != nil {
		return err
	}
	for end := time.Now().Add(o.duration); s.goesOn(end); {
		s.stage(ctx, end)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.rest(ctx); err != nil {
			return err
		}
	}
	s.checkDoubles()
	s.checkMemory()
	s.print()
	if n := len(s.problems); n > 0 {
		return fmt.Errorf("%d problems, with -seed %d", n, o.seed)
	}
	return nil
}
