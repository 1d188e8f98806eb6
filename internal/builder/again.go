package builder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/samforge/samforge/frontend"
)

// maxTries is how often a job is solved if its connections to registries break off. By then
// BuildKit has tried each request several times, and it keeps what is done, so another try costs
// little.
const maxTries = 3

// solveAgain solves a job until it succeeds, or until it fails for a reason that another try would
// not change.
func (b *Builder) solveAgain(ctx context.Context, so SessionOptions, shared *sharedSession, job Job, out *jobWriter) Result {
	pause := time.Second
	for try := 1; ; try++ {
		res := b.solveOne(ctx, so, shared, job, out)
		if try == maxTries || isLost(res.Err) || !frontend.BrokeOff(res.Err) || !repeatable(job.Opt) || ctx.Err() != nil {
			return res
		}
		out.d.tell(out.named(fmt.Sprintf("WARNING: a connection of the builder broke off, the image is built again (try %d of %d): %v", try+1, maxTries, res.Err)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause *= 2
	}
}

// repeatable reports whether a job's result can be exported twice: output that went to a file or a
// program cannot be taken back.
func repeatable(opt client.SolveOpt) bool {
	return !slices.ContainsFunc(opt.Exports, func(e client.ExportEntry) bool { return e.Output != nil })
}
