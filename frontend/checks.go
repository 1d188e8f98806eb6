package frontend

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/llbgen"
)

// checks are the checks of one image. Whether they run depends on no cache.
type checks struct {
	*build
	image    *llbgen.Image
	platform ocispecs.Platform

	mu     sync.Mutex
	proofs map[string]llb.State // of what passed, by check
	ran    []llb.State          // checks that are steps themselves
}

// check checks the layers of an image and, where the build asks for it, the whole
// image. It returns the image as it is exported: with its proofs and checks in
// the graph, so that an exported cache has them too.
func (b *build) check(ctx context.Context, image *llbgen.Image, platform ocispecs.Platform) (llb.State, error) {
	c := &checks{build: b, image: image, platform: platform, proofs: map[string]llb.State{}}
	eg, egCtx := errgroup.WithContext(ctx)
	for _, layer := range image.Layers {
		eg.Go(func() error { return c.verify(egCtx, layer) })
	}
	if err := eg.Wait(); err != nil {
		return llb.State{}, err
	}
	if err := c.verifyImage(ctx); err != nil {
		return llb.State{}, err
	}
	return c.exported(), nil
}

func (c *checks) exported() llb.State {
	if !c.keepsProofs() {
		return c.image.State
	}
	done := c.ran
	for _, name := range slices.Sorted(maps.Keys(c.proofs)) {
		done = append(done, c.proofs[name])
	}
	if len(done) == 0 {
		return c.image.State
	}
	return requires(c.image.State, done, hidden("tie the checks to the image"))
}

// once runs a check that reads some states, unless a cache has the proof that it
// passed for them. The check reports whether it has nothing to say the next time.
func (c *checks) once(ctx context.Context, name string, check func() (passed bool, err error), of ...llb.State) error {
	if !c.keepsProofs() {
		_, err := check()
		return err
	}
	name = platforms.FormatAll(c.platform) + ": " + name
	found := proof(name, toFind, of...)
	if c.finds(ctx, found) {
		c.keep(name, found)
		return nil
	}
	passed, err := check()
	if err != nil || !passed {
		return err
	}
	made := proof(name, toMake, of...)
	if _, err := c.solve(ctx, made, true); err != nil {
		return ctx.Err() // without a proof, the check runs again the next time
	}
	c.keep(name, made)
	return nil
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

func (c *checks) keep(name string, proof llb.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proofs[name] = proof
}
