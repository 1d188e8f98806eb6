package build

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// pushCheckLimit is how long a build waits for registries that say nothing about a push.
const pushCheckLimit = 5 * time.Second

// checkPush asks each repository that the targets are pushed to, once, whether it takes a push: before
// a long build, not after it. Only a clear refusal is an error. It runs until the returned function is
// called, which waits for it.
func (r *request) checkPush(ctx context.Context, targets []project.Target) (wait func() error) {
	if !r.opt.Push || !r.opt.CheckPush {
		return func() error { return nil }
	}
	ctx, cancel := context.WithTimeout(ctx, pushCheckLimit)
	var g errgroup.Group
	asked := map[string]bool{}
	for _, t := range targets {
		if t.NoPush {
			continue
		}
		for _, ref := range t.Refs {
			if repository := registry.Repository(ref); !asked[repository] {
				asked[repository] = true
				g.Go(func() error {
					err := r.opt.Registries.RefusesPush(ctx, ref)
					if errors.Is(err, context.DeadlineExceeded) {
						return nil
					}
					return err
				})
			}
		}
	}
	return func() error {
		defer cancel()
		if err := g.Wait(); err != nil {
			return fmt.Errorf("nothing was built, because the push would fail: %w", err)
		}
		return nil
	}
}
