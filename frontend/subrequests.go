package frontend

import (
	"context"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/convertllb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// subrequest answers `docker buildx build --call`, without pulling anything. The second result is
// false if the client wants a build.
func (b *build) subrequest(ctx context.Context) (*client.Result, bool, error) {
	return b.HandleSubrequest(ctx, dockerui.RequestHandler{
		Outline:     b.outline,
		ListTargets: b.listTargets,
		Lint: func(ctx context.Context) (*lint.LintResults, error) {
			lockfile, err := b.readLockfile(ctx)
			if err != nil {
				return nil, err
			}
			return Lint(b.src.Filename, b.src.Data, lockfile, b.BuildArgs, nil), nil
		},
		ConvertLLB: b.convertLLB,
	})
}

// outline returns the build arguments and secrets of the target.
func (b *build) outline(ctx context.Context) (*outline.Outline, error) {
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	o := &outline.Outline{
		Name:        b.target.Name,
		Description: b.plan.Description(b.target),
		Sources:     [][]byte{b.src.Data},
	}
	for _, arg := range b.plan.Arguments(b.target) {
		o.Args = append(o.Args, outline.Arg{Name: arg.Name, Description: arg.Help, Value: arg.Value, Location: location(arg.At)})
	}
	for _, id := range b.plan.Secrets(b.target) {
		o.Secrets = append(o.Secrets, outline.Secret{Name: id})
	}
	return o, nil
}

// listTargets lists the targets of the build file.
func (b *build) listTargets(context.Context) (*targets.List, error) {
	plan, err := llbgen.Load(b.src.Filename, b.src.Data, b.BuildArgs)
	if err != nil {
		return nil, err
	}
	list := &targets.List{Sources: [][]byte{b.src.Data}}
	for _, t := range plan.Targets {
		list.Targets = append(list.Targets, targets.Target{
			Name:        t.Name,
			Default:     len(plan.Targets) == 1,
			Description: plan.Description(t),
			Base:        t.Base,
			Location:    location(plan.Place(t)),
		})
	}
	return list, nil
}

func location(d *source.Diagnostic) *pb.Location { return &pb.Location{Ranges: d.Ranges()} }

// convertLLB returns the graph of the target for the first of its platforms.
func (b *build) convertLLB(ctx context.Context) (*convertllb.Result, error) {
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	image, err := b.graph(ctx, b.TargetPlatforms[0])
	if err != nil {
		return nil, err
	}
	def, err := image.State.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	res := &convertllb.Result{Def: map[digest.Digest]*pb.Op{}, Metadata: def.Metadata, Source: def.Source}
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, err
		}
		res.Def[digest.FromBytes(data)] = &op
	}
	return res, nil
}
