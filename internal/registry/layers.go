package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Mount makes the layers of the image at ref, for the platform, part of the repository that to is in. Both are in one
// registry, which need not be sent a byte: see "Mounting a blob from another repository" in the OCI distribution
// specification. A registry that wants the bytes instead is an error; nothing is sent then.
func (c *Client) Mount(ctx context.Context, ref string, platform ocispecs.Platform, to string) error {
	if err := c.mount(ctx, ref, platform, to); err != nil {
		return fmt.Errorf("mount the layers of %s in %s: %w", ref, to, explain(err, to))
	}
	return nil
}

func (c *Client) mount(ctx context.Context, ref string, platform ocispecs.Platform, to string) error {
	from, layers, err := c.layers(ctx, ref, platform)
	if err != nil {
		return err
	}
	pusher, into, err := c.pusher(to)
	if err != nil {
		return err
	}
	eg, ctx := errgroup.WithContext(ctx)
	for i, layer := range layers {
		upload := func() error {
			return pusher.Upload(ctx, into, &remote.MountableLayer{Layer: unsent{layer}, Reference: from})
		}
		if i > 0 {
			eg.Go(upload)
		} else if err := upload(); err != nil { // the others would go the same way
			return err
		}
	}
	return eg.Wait()
}

// Copy uploads the layers of the image at ref, for the platform, to the repository that to is in, without asking for
// them to be mounted. It returns how many the repository did not have.
func (c *Client) Copy(ctx context.Context, ref string, platform ocispecs.Platform, to string) (copied int, err error) {
	if copied, err = c.copy(ctx, ref, platform, to); err != nil {
		return copied, fmt.Errorf("copy the layers of %s to %s: %w", ref, to, explain(err, to))
	}
	return copied, nil
}

func (c *Client) copy(ctx context.Context, ref string, platform ocispecs.Platform, to string) (int, error) {
	_, layers, err := c.layers(ctx, ref, platform)
	if err != nil {
		return 0, err
	}
	pusher, into, err := c.pusher(to)
	if err != nil {
		return 0, err
	}
	var copied atomic.Int64
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(4) // as many as BuildKit sends at a time
	for _, layer := range layers {
		eg.Go(func() error {
			dgst, err := layer.Digest()
			if err != nil {
				return err
			}
			if there, err := c.HasBlob(ctx, to, dgst.String()); err != nil || there {
				return err
			}
			if err := pusher.Upload(ctx, into, sent{layer}); err != nil {
				return err
			}
			copied.Add(1)
			return nil
		})
	}
	err = eg.Wait()
	return int(copied.Load()), err
}

// layers returns the layers of the image at ref for the platform.
func (c *Client) layers(ctx context.Context, ref string, platform ocispecs.Platform) (name.Reference, []v1.Layer, error) {
	from, err := name.ParseReference(ref)
	if err != nil {
		return nil, nil, invalid(ref, err)
	}
	// Another puller than that of the documents, which reads each answer whole.
	puller, err := remote.NewPuller(c.forLayers()...)
	if err != nil {
		return nil, nil, err
	}
	desc, err := puller.Get(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	image, err := member(desc, ref, platform)
	if err != nil {
		return nil, nil, err
	}
	layers, err := image.Layers()
	return from, layers, err
}

// pusher returns what uploads to the repository that a reference is in.
func (c *Client) pusher(to string) (*remote.Pusher, name.Repository, error) {
	into, err := name.ParseReference(to)
	if err != nil {
		return nil, name.Repository{}, invalid(to, err)
	}
	pusher, err := remote.NewPusher(c.forLayers()...)
	return pusher, into.Context(), err
}

func (c *Client) forLayers() []remote.Option {
	return []remote.Option{
		remote.WithAuthFromKeychain(c.keychain),
		remote.WithUserAgent(userAgent),
		remote.WithTransport(newStreams(c.silence)),
	}
}

// unsent is a layer that is mounted or not at all.
type unsent struct{ v1.Layer }

var errNotMounted = errors.New("the registry wants the bytes")

func (unsent) Compressed() (io.ReadCloser, error) { return nil, errNotMounted }

// sent is a layer that hides which repository it is in, so that its bytes are sent.
type sent struct{ v1.Layer }
