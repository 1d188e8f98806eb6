package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is what a reference leads to for one platform.
type Image struct {
	// Digest is what the reference points at: an index or an image.
	Digest string
	// Manifest is the digest of the image for the platform.
	Manifest string
	// Config is the image config as it is stored.
	Config []byte
	// Layers are the layers' blobs, the lowest first.
	Layers []Blob
}

// Blob is a part of an image.
type Blob struct {
	Digest string
	Size   int64 // in bytes, compressed
}

// PlatformError says that there is no image for a platform.
type PlatformError struct{ Ref, Platform string }

func (e *PlatformError) Error() string {
	return fmt.Sprintf("%s has no image for %s: name one that has, or leave the platform out", e.Ref, e.Platform)
}

// Resolver looks images up and remembers what it found. Its methods are safe for
// concurrent use.
type Resolver struct {
	ctx         context.Context // of the requests: their answers outlive who asked first
	descriptors sync.Map        // func() (*remote.Descriptor, error) by reference
	images      sync.Map        // func() (*Image, error) by reference and platform
}

// NewResolver returns a resolver whose requests end with ctx.
func NewResolver(ctx context.Context) *Resolver { return &Resolver{ctx: ctx} }

// Resolve returns what ref leads to for the platform. It costs three requests the
// first time, and no layer is pulled.
func (r *Resolver) Resolve(ref string, platform ocispecs.Platform) (*Image, error) {
	find := func() (*Image, error) { return r.resolve(ref, platform) }
	once, _ := r.images.LoadOrStore(ref+" "+platforms.Format(platform), sync.OnceValues(find))
	image, err := once.(func() (*Image, error))()
	if err != nil {
		return nil, Explain(err, ref)
	}
	return image, nil
}

func (r *Resolver) resolve(ref string, platform ocispecs.Platform) (*Image, error) {
	find := func() (*remote.Descriptor, error) {
		parsed, err := name.ParseReference(ref)
		if err != nil {
			return nil, invalid(ref, err)
		}
		return remote.Get(parsed, options(r.ctx)...)
	}
	once, _ := r.descriptors.LoadOrStore(ref, sync.OnceValues(find))
	desc, err := once.(func() (*remote.Descriptor, error))()
	if err != nil {
		return nil, err
	}
	image, err := member(desc, ref, platform)
	if err != nil {
		return nil, err
	}
	return describe(desc, image)
}

// member is the image for the platform in what a reference points at.
func member(desc *remote.Descriptor, ref string, platform ocispecs.Platform) (v1.Image, error) {
	if !desc.MediaType.IsIndex() {
		return only(desc, ref, platform)
	}
	index, err := desc.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	matcher := platforms.Only(platform)
	for _, m := range manifest.Manifests {
		if m.Platform != nil && matcher.Match(ocispecs.Platform{OS: m.Platform.OS, Architecture: m.Platform.Architecture, Variant: m.Platform.Variant}) {
			return index.Image(m.Digest)
		}
	}
	return nil, &PlatformError{Ref: ref, Platform: platforms.Format(platform)}
}

// only is an image that stands in no index. One that does not say what it is for
// is for any platform.
func only(desc *remote.Descriptor, ref string, platform ocispecs.Platform) (v1.Image, error) {
	image, err := desc.Image()
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	if config.Architecture != "" && config.Architecture != platform.Architecture {
		return nil, &PlatformError{Ref: ref, Platform: platforms.Format(platform)}
	}
	return image, nil
}

func describe(desc *remote.Descriptor, image v1.Image) (*Image, error) {
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	dgst, err := image.Digest()
	if err != nil {
		return nil, err
	}
	found := &Image{Digest: desc.Digest.String(), Manifest: dgst.String(), Config: config}
	for _, layer := range manifest.Layers {
		found.Layers = append(found.Layers, Blob{layer.Digest.String(), layer.Size})
	}
	return found, nil
}

// Absent reports whether err says that there is no such image, or none for the
// platform.
func Absent(err error) bool {
	var missing *PlatformError
	return errors.As(err, &missing) || notFound(err)
}

// Repository returns the repository of a reference, with its registry, as the
// registry knows it; or the reference itself if it is none.
func Repository(ref string) string {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return ref
	}
	return parsed.Context().Name()
}

// Same reports whether two references are in the same registry, which can give the
// blobs of one repository to another one.
func Same(a, b string) bool {
	x, errX := name.ParseReference(a)
	y, errY := name.ParseReference(b)
	return errX == nil && errY == nil && x.Context().RegistryStr() == y.Context().RegistryStr()
}

// HasBlob reports whether the repository of ref has a blob. It costs one HEAD
// request, beside those to log in.
func HasBlob(ctx context.Context, ref, blob string) (bool, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return false, invalid(ref, err)
	}
	layer, err := remote.Layer(parsed.Context().Digest(blob), options(ctx)...)
	if err != nil {
		return false, Explain(err, ref)
	}
	ok, err := partial.Exists(layer)
	return ok, Explain(err, ref)
}
