package frontend

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// counting is a builder that resolves every reference but "missing", and counts.
type counting struct {
	client.Client
	mu    sync.Mutex
	calls map[string]int
}

func (c *counting) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[ref]++
	if ref == "missing" {
		return "", "", nil, errors.New("missing: not found")
	}
	return ref, digest.FromString(ref), []byte(opt.ImageOpt.Platform.Architecture), nil
}

func TestReferencesAreResolvedOnce(t *testing.T) {
	t.Parallel()
	builder := &counting{calls: map[string]int{}}
	cache := newResolveCache(builder)
	for range 3 {
		for _, arch := range []string{"amd64", "arm64"} {
			opt := sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &ocispecs.Platform{OS: "linux", Architecture: arch}}}
			ref, dgst, config, err := cache.ResolveImageConfig(t.Context(), "there", opt)
			if err != nil || ref != "there" || dgst != digest.FromString("there") || string(config) != arch {
				t.Errorf("for %s: %s, %s, %s, %v", arch, ref, dgst, config, err)
			}
			if _, _, _, err := cache.ResolveImageConfig(t.Context(), "missing", opt); err == nil || !strings.Contains(err.Error(), "not found") {
				t.Errorf("a missing image for %s: %v", arch, err)
			}
		}
	}
	if builder.calls["there"] != 2 || builder.calls["missing"] != 2 {
		t.Errorf("the builder was asked %v, want each image once a platform", builder.calls)
	}
}
