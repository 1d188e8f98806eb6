package builder

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/samforge/samforge/frontend"
)

const (
	// defaultTries is how often a job is solved at most if its connections to registries break off.
	// By then BuildKit has tried each request several times, and it keeps what is done, so another
	// try costs little.
	defaultTries = 3
	// maxPause is the longest pause before another try.
	maxPause = 30 * time.Second
)

// solveAgain solves a job until it succeeds, or until it fails for a reason that another try would
// not change. Steps that are done are in the builder's cache then, and layers that are pushed in
// the registry.
func (b *Builder) solveAgain(ctx context.Context, so SessionOptions, shared *sharedSession, job Job, out *jobWriter) Result {
	pause, tries := time.Second, cmp.Or(so.Tries, defaultTries)
	var pushing []string
	var work Work
	for try := 1; ; try++ {
		res := b.solveOne(ctx, so, shared, job, out)
		pushing = append(pushing, res.pushing...)
		work.join(res.Work)
		res.pushing, res.Work = pushing, work
		if try == tries || isLost(res.Err) || !frontend.BrokeOff(res.Err) || job.Once || ctx.Err() != nil {
			return res
		}
		out.d.tell(out.named(fmt.Sprintf("WARNING: a request of the builder failed for the moment, the image is built again (try %d of %d): %v", try+1, tries, res.Err)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if job.Ready != nil && ctx.Err() == nil {
			job.Ready(ctx)
		}
		pause = min(2*pause, maxPause)
	}
}
