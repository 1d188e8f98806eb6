package frontend

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/llbgen"
)

// checks are the checks of one image. They run whatever cache the build uses.
type checks struct {
	*build
	image    *llbgen.Image
	platform ocispecs.Platform

	steps []llb.State // checks that are steps themselves

	// Checks that read files: each function reports whether its result may be remembered.
	names  []string
	reads  []func(ctx context.Context) (passed bool, err error)
	states []llb.State // what is read
}

// check checks the layers of an image and, if the build asks for it, the whole image. It returns
// the image to export. Its graph contains the proof and the checks, so that an exported cache has
// them too.
func (b *build) check(ctx context.Context, image *llbgen.Image, platform ocispecs.Platform) (client.Reference, error) {
	c := &checks{build: b, image: image, platform: platform}
	eg, egCtx := errgroup.WithContext(ctx)
	for _, layer := range image.Layers {
		c.addFiles(layer)
		eg.Go(func() error {
			if _, err := c.solve(egCtx, layer.State, true); err != nil {
				return c.plan.At(layer.Field, explainLayer(layer, err))
			}
			return nil
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, c.reason(ctx, err)
	}
	if len(image.Checks) > 0 {
		if err := c.addImage(ctx); err != nil {
			return nil, err
		}
	}
	proofs, err := c.once(ctx)
	if err != nil {
		return nil, err
	}
	if done := append(c.steps, proofs...); len(done) > 0 && c.keepsProofs() {
		tied := requires("checks", image.State, done, hidden("tie the checks to the image"))
		if ref, err := c.solve(ctx, tied, true); err == nil {
			return ref, nil
		}
		// The checks passed: they are only missing in caches.
	}
	return c.solve(ctx, image.State, false)
}

// reason returns why a layer could not be made. npm runs in the node image, so the reason may be
// what the node layer lacks; otherwise it is err.
func (c *checks) reason(ctx context.Context, err error) error {
	for _, layer := range c.image.Layers {
		if len(layer.Executables) == 0 || !layer.Overlays {
			continue
		}
		files, unmade := c.fileSystemOf(ctx, layer.State)
		if unmade != nil {
			continue
		}
		if found := c.checkFiles(files, layer); found != nil {
			return c.plan.At(layer.Field, fmt.Errorf("%s: %w", layer.Source, found))
		}
	}
	return err
}

// add adds a check that reads some states.
func (c *checks) add(name string, read func(context.Context) (bool, error), states ...llb.State) {
	c.names = append(c.names, name)
	c.reads = append(c.reads, read)
	c.states = append(c.states, states...)
}

// once runs the checks that read files, unless a cache has the proof that they passed. It returns
// the proof, if there is one.
func (c *checks) once(ctx context.Context) ([]llb.State, error) {
	if len(c.reads) == 0 {
		return nil, nil
	}
	name := platforms.FormatAll(c.platform) + ": " + strings.Join(c.names, "; ")
	found := c.keepsProofs() && c.finds(ctx, proof(name, toFind, c.states...))
	if !found {
		passed, err := c.read(ctx)
		if err != nil || !passed || !c.keepsProofs() {
			return nil, err
		}
		if _, err := c.solve(ctx, proof(name, toMake, c.states...), true); err != nil {
			return nil, ctx.Err() // without a proof, the checks run again the next time
		}
	}
	kept := proof(name, toKeep, c.states...)
	if _, err := c.solve(ctx, kept, true); err != nil {
		return nil, ctx.Err()
	}
	return []llb.State{kept}, nil
}

// read runs the checks that read files, and reports whether all passed.
func (c *checks) read(ctx context.Context) (bool, error) {
	passed := make([]bool, len(c.reads))
	eg, egCtx := errgroup.WithContext(ctx)
	for i, read := range c.reads {
		eg.Go(func() (err error) {
			passed[i], err = read(egCtx)
			return err
		})
	}
	err := eg.Wait()
	return !slices.Contains(passed, false), err
}

// finds reports whether a cache has a proof.
func (c *checks) finds(ctx context.Context, proof llb.State) bool {
	if c.IsNoCache(c.target.Name) {
		return false
	}
	if _, err := c.solve(ctx, proof, true); err != nil {
		return false
	}
	_, err := c.solve(ctx, impossibleProof(), true)
	return err != nil
}
