package frontend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/llbgen"
)

// verifyImage runs the checks of an image. They are steps like any other, and
// come out of the cache where nothing has changed, with nothing pulled. On a
// platform that the builder cannot run, the programs' shared libraries are
// looked at instead, which is also how a program that does not start is
// explained.
func (b *build) verifyImage(ctx context.Context, image *llbgen.Image, platform ocispecs.Platform) error {
	if len(image.Checks) == 0 {
		return nil
	}
	eg, egCtx := errgroup.WithContext(ctx)
	runs := b.canRun(platform)
	if !runs {
		if err := b.warn(ctx, []*llbgen.Diagnostic{{Message: fmt.Sprintf(
			"the programs of the image for %s cannot be run on this builder, which is for %s: their shared libraries were checked, and nothing else",
			platforms.Format(platform), platforms.Format(b.BuildPlatforms[0]))}}); err != nil {
			return err
		}
	}
	for _, check := range image.Checks {
		eg.Go(func() error {
			if runs {
				return b.runCheck(egCtx, image, check, platform)
			}
			return b.checkLibraries(egCtx, image, check, platform)
		})
	}
	for _, layer := range image.Layers {
		if layer.Overlays && len(b.CacheImports) == 0 { // reading would pull what came out of a cache
			eg.Go(func() error { return b.reportOverwritten(egCtx, image, layer) })
		}
	}
	return eg.Wait()
}

// withChecks is the image as it is exported, with its checks in the graph so
// that an exported cache has their results too.
func (b *build) withChecks(image *llbgen.Image) llb.State {
	caps := b.BuildOpts().LLBCaps
	if caps.Supports(pb.CapPassthroughOp) != nil {
		return image.State
	}
	var checks []llb.State
	for _, check := range image.Checks {
		checks = append(checks, check.State)
	}
	return image.State.Requires("checks", checks...)
}

// canRun reports whether the builder runs programs for a platform, be it by
// emulation.
func (b *build) canRun(platform ocispecs.Platform) bool {
	workers := b.BuildOpts().Workers
	return len(workers) == 0 || platforms.Any(workers[0].Platforms...).Match(platform)
}

func (b *build) runCheck(ctx context.Context, image *llbgen.Image, check *llbgen.Check, platform ocispecs.Platform) error {
	_, err := b.solve(ctx, check.State, true)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if why := b.checkLibraries(ctx, image, check, platform); why != nil {
		return why
	}
	problem := fmt.Errorf("%s does not work in the image: %w", check.Name, err)
	if check.Remedy != "" {
		problem = fmt.Errorf("%s does not work in the image: %s: %w", check.Name, check.Remedy, err)
	}
	return b.plan.At(check.Field, problem)
}

// checkLibraries makes sure that a program finds its shared libraries in the
// image, and in them the versions of symbols that it was linked against.
func (b *build) checkLibraries(ctx context.Context, image *llbgen.Image, check *llbgen.Check, platform ocispecs.Platform) error {
	if check.Program == "" {
		return nil
	}
	ref, err := b.solve(ctx, image.State, true)
	if err != nil {
		return b.plan.At(check.Field, err)
	}
	l := linker{root: fileSystem{ctx, ref}, machine: machine(platform.Architecture), path: check.LibraryPath}
	problems, err := l.missing(check.Program)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the image has no %s", check.Program)
	}
	if err != nil {
		return b.plan.At(check.Field, err)
	}
	if len(problems) == 0 {
		return nil
	}
	return b.plan.At(check.Field, fmt.Errorf("%s does not run in the image: %s: %s",
		check.Name, strings.Join(problems, "; "), check.Remedy))
}
