package build

import (
	"context"
	"fmt"
	"sync"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/samforge/samforge/internal/builder"
)

// together holds builds back before their images are exported, until all of them are built: if one
// fails, none is pushed. A nil one holds nothing back.
type together struct {
	mu      sync.Mutex
	missing int           // builds that are not ready
	over    chan struct{} // closed when all are ready, or one has failed
	failed  error
}

func newTogether(builds int) *together {
	return &together{missing: builds, over: make(chan struct{})}
}

// join returns a build that ends when all that have joined are ready.
func (t *together) join(build gateway.BuildFunc) gateway.BuildFunc {
	if t == nil {
		return build
	}
	var once sync.Once // it may be built again: on another builder, or for a second push
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		res, err := build(ctx, c)
		if err != nil {
			return nil, err
		}
		if err := res.EachRef(func(ref gateway.Reference) error { return ref.Evaluate(ctx) }); err != nil {
			return nil, err
		}
		once.Do(t.ready)
		select {
		case <-t.over:
			return res, t.failed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (t *together) ready() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missing--
	if t.missing == 0 && t.failed == nil {
		close(t.over)
	}
}

// fail says that a build has failed. After all were ready that changes nothing.
func (t *together) fail(build builder.Result) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.missing > 0 && t.failed == nil {
		t.failed = fmt.Errorf("the image is built, and not exported, because %s failed", build.Name)
		close(t.over)
	}
}
