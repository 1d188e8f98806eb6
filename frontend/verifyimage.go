package frontend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/elf"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// addImage runs the checks of the whole image and adds those that read it. The former are normal
// steps: if nothing has changed, they come from the cache, and nothing is pulled. If the builder
// cannot run the platform's programs, their shared libraries are checked instead.
func (c *checks) addImage(ctx context.Context) error {
	runs := c.canRun(c.platform)
	if !runs {
		if err := c.warn(ctx, []*source.Diagnostic{{Message: fmt.Sprintf(
			"the programs of the image for %s cannot be run on this builder, which is for %s: only their shared libraries were checked",
			platforms.Format(c.platform), platforms.Format(c.BuildPlatforms[0]))}}); err != nil {
			return err
		}
	}
	eg, egCtx := errgroup.WithContext(ctx)
	for _, check := range c.image.Checks {
		if runs {
			c.steps = append(c.steps, check.State)
			eg.Go(func() error { return c.run(egCtx, check) })
		} else if check.Program != "" {
			c.add("libraries of "+check.Program+" in "+strings.Join(check.LibraryPath, ":"),
				func(ctx context.Context) (bool, error) { return true, c.libraries(ctx, check) }, c.all()...)
		}
	}
	for _, layer := range c.image.Layers {
		if layer.Overlays {
			c.add("files that the "+layer.Name+" layer replaces", func(ctx context.Context) (bool, error) {
				return c.overwritesNothing(ctx, layer)
			}, layer.State, c.image.Base.State)
		}
	}
	return eg.Wait()
}

// all returns the layers and then the base image.
func (c *checks) all() (states []llb.State) {
	for _, layer := range c.image.Layers {
		states = append(states, layer.State)
	}
	return append(states, c.image.Base.State)
}

// canRun reports whether the builder runs programs for a platform, natively or by emulation.
func (b *build) canRun(platform ocispecs.Platform) bool {
	workers := b.BuildOpts().Workers
	return len(workers) == 0 || platforms.Any(workers[0].Platforms...).Match(platform)
}

func (c *checks) run(ctx context.Context, check *llbgen.Check) error {
	_, err := c.solve(ctx, check.State, true)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if why := c.libraries(ctx, check); why != nil {
		return why
	}
	problem := fmt.Errorf("%s does not work in the image: %w", check.Name, err)
	if check.Remedy != "" {
		problem = fmt.Errorf("%s does not work in the image: %s: %w", check.Name, check.Remedy, err)
	}
	return c.plan.At(check.Field, problem)
}

// libraries checks that a program finds its shared libraries in the image, with the symbol versions
// that it was linked against.
func (c *checks) libraries(ctx context.Context, check *llbgen.Check) error {
	if check.Program == "" {
		return nil
	}
	ref, err := c.solve(ctx, c.image.State, true)
	if err != nil {
		return c.plan.At(check.Field, err)
	}
	l := elf.Linker{Root: fileSystem{ctx, ref}, Arch: c.platform.Architecture, Path: check.LibraryPath}
	problems, err := l.Missing(check.Program)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the image has no %s", check.Program)
	}
	var config *elf.ConfigError
	if errors.As(err, &config) { // the base image's, whatever program is checked
		d := c.plan.Place(c.target)
		d.Message, d.Err = err.Error(), err
		return d
	}
	if err != nil {
		return c.plan.At(check.Field, err)
	}
	if len(problems) == 0 {
		return nil
	}
	return c.plan.At(check.Field, fmt.Errorf("%s does not run in the image: %s: %s",
		check.Name, strings.Join(problems, "; "), check.Remedy))
}
