package frontend

import (
	"context"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/flightcontrol"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// resolveCache resolves each reference once a build, as a lock file's digests are asked for more
// than once, and several images have the same sources.
type resolveCache struct {
	client.Client
	group flightcontrol.CachedGroup[resolvedImage]
}

// resolvedImage is what ResolveImageConfig returns.
type resolvedImage struct {
	ref    string
	digest digest.Digest
	config []byte
}

var _ client.Client = (*resolveCache)(nil)

func newResolveCache(c client.Client) *resolveCache {
	return &resolveCache{Client: c, group: flightcontrol.CachedGroup[resolvedImage]{CacheError: true}}
}

// ResolveImageConfig implements [client.Client].
func (c *resolveCache) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	if opt.ImageOpt == nil || opt.ImageOpt.AttestationChain || opt.OCILayoutOpt != nil {
		return c.Client.ResolveImageConfig(ctx, ref, opt)
	}
	var platform ocispecs.Platform
	if p := opt.ImageOpt.Platform; p != nil {
		platform = *p
	}
	key := ref + " " + platforms.FormatAll(platform) + " " + opt.ImageOpt.ResolveMode
	image, err := c.group.Do(ctx, key, func(ctx context.Context) (resolvedImage, error) {
		ref, dgst, config, err := c.Client.ResolveImageConfig(ctx, ref, opt)
		return resolvedImage{ref, dgst, config}, err
	})
	return image.ref, image.digest, image.config, err
}
