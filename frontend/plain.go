package frontend

import (
	"context"
	"strconv"

	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/samforge/samforge/llbgen"
)

// Plain is a Dockerfile that is no function's. The Dockerfile frontend, or the one that its `# syntax=`
// names, reads it and the build context as they are.
type Plain struct {
	// Stage is the stage to build; "" for the last one.
	Stage string
	// InContext is true if the Dockerfile is in the build context, and not in the session beside it.
	InContext bool
}

// Build returns the build function. Its result has the time of SOURCE_DATE_EPOCH, or of
// [llbgen.DefaultEpoch].
func (p Plain) Build() client.BuildFunc {
	return func(ctx context.Context, c client.Client) (*client.Result, error) {
		c = Patient(c)
		opts := c.BuildOpts().Opts
		if err := checkContexts(opts); err != nil {
			return nil, err
		}
		delete(opts, "target")
		if p.Stage != "" {
			opts["target"] = p.Stage
		}
		if p.InContext {
			delete(opts, "dockerfilekey")
		}
		epoch := llbgen.DefaultEpoch()
		const arg = "build-arg:" + llbgen.EpochArg
		if opts[arg] == "" {
			opts[arg] = strconv.FormatInt(epoch.Unix(), 10)
		}
		epoch, err := llbgen.ParseEpoch(opts[arg])
		if err != nil {
			return nil, err
		}
		res, err := c.Solve(ctx, client.SolveRequest{Frontend: "dockerfile.v0", FrontendOpt: opts})
		if err != nil {
			return nil, err
		}
		return res, completeHistory(res, epoch)
	}
}
