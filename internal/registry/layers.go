package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/roundtrip"
)

// Mount adds the layers of the image at ref, for the platform, to the repository of to. Both
// repositories are in one registry, so no bytes need to be sent: see "Mounting a blob from another
// repository" in the OCI distribution specification. If the registry wants the bytes instead, Mount
// sends none and returns an error.
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
		} else if err := upload(); err != nil { // the other layers would fail the same way
			return err
		}
	}
	return eg.Wait()
}

// defaultTries is how often an image is pushed at most.
const defaultTries = 3

// Push pushes an image to a reference, and again if connections break off or the registry is busy:
// see Client.Tries. It returns the image's digest. A reference that has the image already is
// pushed, even if it may not be moved.
func (c *Client) Push(ctx context.Context, image v1.Image, ref string) (digest string, err error) {
	to, err := name.ParseReference(ref)
	if err != nil {
		return "", invalid(ref, err)
	}
	hash, err := image.Digest()
	if err != nil {
		return "", err
	}
	err = c.push(ctx, image, to)
	for try, pause := 1, time.Second; try < cmp.Or(c.Tries, defaultTries) && transient(err) && ctx.Err() == nil; try, pause = try+1, 2*pause {
		if waited := roundtrip.Sleep(ctx, pause); waited != nil {
			break
		}
		_, _, _ = c.Digest(ctx, ref) // waits as long as the registry says
		err = c.push(ctx, image, to)
	}
	if takenTag(err) {
		if there, ok, lookup := c.Digest(ctx, ref); lookup == nil && ok && there == hash.String() {
			err = nil // somebody else pushed it
		}
	}
	if err != nil {
		return "", fmt.Errorf("push %s: %w", ref, explain(err, ref))
	}
	return hash.String(), nil
}

func (c *Client) push(ctx context.Context, image v1.Image, to name.Reference) error {
	pusher, _, err := c.pusher(to.Name())
	if err != nil {
		return err
	}
	return pusher.Push(ctx, to, image)
}

// transient reports whether another try may not have the error of a push.
func transient(err error) bool {
	return roundtrip.Transient(err) || roundtrip.TransientStatus(status(err))
}

// Layer is a layer to upload.
type Layer struct {
	ocispecs.Descriptor
	// Open returns the layer's bytes. If Open is nil, they come from the repository From.
	Open func() (io.ReadCloser, error)
	From string
}

// Upload uploads layers to the repository of to, without trying to mount them. It returns how many
// layers the repository did not have.
func (c *Client) Upload(ctx context.Context, layers []Layer, to string) (uploaded int, err error) {
	pusher, into, err := c.pusher(to)
	if err != nil {
		return 0, err
	}
	var count atomic.Int64
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(4) // as many as BuildKit sends at the same time
	for _, layer := range layers {
		eg.Go(func() error {
			there, err := c.HasBlob(ctx, to, layer.Digest.String())
			if err != nil || there {
				return err
			}
			blob, err := c.blob(ctx, layer)
			if err == nil {
				err = pusher.Upload(ctx, into, blob)
			}
			if err != nil {
				return fmt.Errorf("upload the layer %s to %s: %w", layer.Digest, to, explain(err, to))
			}
			count.Add(1)
			return nil
		})
	}
	err = eg.Wait()
	return int(count.Load()), err
}

// blob returns a layer in the form that a pusher takes.
func (c *Client) blob(ctx context.Context, layer Layer) (v1.Layer, error) {
	if layer.Open != nil {
		return partial.CompressedToLayer(kept{layer})
	}
	from, err := name.ParseReference(layer.From)
	if err != nil {
		return nil, invalid(layer.From, err)
	}
	puller, err := remote.NewPuller(c.forLayers(from.Context().Registry)...)
	if err != nil {
		return nil, err
	}
	blob, err := puller.Layer(ctx, from.Context().Digest(layer.Digest.String()))
	return sent{blob}, err
}

// kept is a layer that is not in a registry.
type kept struct{ Layer }

func (k kept) Digest() (v1.Hash, error)           { return v1.NewHash(k.Descriptor.Digest.String()) }
func (k kept) Compressed() (io.ReadCloser, error) { return k.Open() }
func (k kept) Size() (int64, error)               { return k.Descriptor.Size, nil }
func (k kept) MediaType() (types.MediaType, error) {
	return types.MediaType(k.Descriptor.MediaType), nil
}

// layers returns the layers of the image at ref for the platform.
func (c *Client) layers(ctx context.Context, ref string, platform ocispecs.Platform) (name.Reference, []v1.Layer, error) {
	from, err := name.ParseReference(ref)
	if err != nil {
		return nil, nil, invalid(ref, err)
	}
	// This is not the puller of the documents, which reads each answer whole.
	puller, err := remote.NewPuller(c.forLayers(from.Context().Registry)...)
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

// pusher returns a pusher for the repository of a reference.
func (c *Client) pusher(to string) (*remote.Pusher, name.Repository, error) {
	into, err := name.ParseReference(to)
	if err != nil {
		return nil, name.Repository{}, invalid(to, err)
	}
	pusher, err := remote.NewPusher(c.forLayers(into.Context().Registry)...)
	return pusher, into.Context(), err
}

func (c *Client) forLayers(of name.Registry) []remote.Option {
	return []remote.Option{
		remote.WithAuthFromKeychain(c.keychain),
		remote.WithUserAgent(userAgent),
		remote.WithTransport(roundtrip.Streams(c.transport(of), c.silence)),
	}
}

// unsent is a layer that can only be mounted, never sent.
type unsent struct{ v1.Layer }

var errNotMounted = errors.New("the registry wants the bytes")

func (unsent) Compressed() (io.ReadCloser, error) { return nil, errNotMounted }

// sent is a layer that hides its repository, so that its bytes are sent.
type sent struct{ v1.Layer }
