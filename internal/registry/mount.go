package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Mount makes the layers of the image at ref, for the platform, part of the repository that to is in. Both are in one
// registry, which need not be sent a byte: see "Mounting a blob from another repository" in the OCI distribution
// specification. A registry that would rather be sent the bytes is an error; nothing is sent then.
func Mount(ctx context.Context, ref string, platform ocispecs.Platform, to string) error {
	from, err := name.ParseReference(ref)
	if err != nil {
		return invalid(ref, err)
	}
	into, err := name.ParseReference(to)
	if err != nil {
		return invalid(to, err)
	}
	if err := mount(ctx, from, platform, into.Context()); err != nil {
		return fmt.Errorf("mount the layers of %s in %s: %w", ref, into.Context(), Explain(err, to))
	}
	return nil
}

func mount(ctx context.Context, from name.Reference, platform ocispecs.Platform, into name.Repository) error {
	desc, err := remote.Get(from, options(ctx)...)
	if err != nil {
		return err
	}
	image, err := member(desc, from.Name(), platform)
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	pusher, err := remote.NewPusher(options(ctx)...)
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

// unsent is a layer that is mounted or not at all.
type unsent struct{ v1.Layer }

var errNotMounted = errors.New("the registry wants the bytes")

func (unsent) Compressed() (io.ReadCloser, error) { return nil, errNotMounted }
