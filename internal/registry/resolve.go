package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is the image that a reference leads to for one platform.
type Image struct {
	// Digest is what the reference points at: an index or an image.
	Digest string
	// Manifest is the digest of the image for the platform.
	Manifest string
	// Config is the image config as it is stored.
	Config []byte
	// Layers are the blobs of the layers, the lowest first.
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

// Absent reports whether err says that there is no such image, or none for the platform.
func Absent(err error) bool {
	var missing *PlatformError
	return errors.As(err, &missing) || notFound(err)
}

// Resolver looks up images and caches the results. Its methods are safe for concurrent use.
type Resolver struct {
	client      *Client
	ctx         context.Context // for the requests: their results outlive the first caller
	descriptors sync.Map        // func() (*remote.Descriptor, error) by reference
	images      sync.Map        // func() (*Image, error) by reference and platform
	known       sync.Map        // *Image by repository, digest and platform: what a tag leads to may be asked for by its digest
}

// NewResolver returns a resolver whose requests end with ctx.
func NewResolver(ctx context.Context, client *Client) *Resolver {
	return &Resolver{client: client, ctx: ctx}
}

// Resolve returns the image that ref leads to for the platform. The first call for a reference
// costs three requests. No layer is pulled.
func (r *Resolver) Resolve(ref string, platform ocispecs.Platform) (*Image, error) {
	find := func() (*Image, error) { return r.resolve(ref, platform) }
	once, _ := r.images.LoadOrStore(ref+" "+platforms.Format(platform), sync.OnceValues(find))
	image, err := once.(func() (*Image, error))()
	if err != nil {
		return nil, explain(err, ref)
	}
	return image, nil
}

func (r *Resolver) resolve(ref string, platform ocispecs.Platform) (*Image, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, invalid(ref, err)
	}
	key := func(digest string) string {
		return parsed.Context().Digest(digest).String() + " " + platforms.Format(platform)
	}
	if known, ok := r.known.Load(key(parsed.Identifier())); ok {
		return known.(*Image), nil
	}
	find := func() (*remote.Descriptor, error) { return r.client.get(r.ctx, parsed) }
	once, _ := r.descriptors.LoadOrStore(ref, sync.OnceValues(find))
	desc, err := once.(func() (*remote.Descriptor, error))()
	if err != nil {
		return nil, err
	}
	image, err := member(desc, ref, platform)
	if err != nil {
		return nil, err
	}
	found, err := describe(desc, image)
	if err == nil {
		member := *found
		member.Digest = member.Manifest
		r.known.Store(key(member.Digest), &member)
		r.known.Store(key(found.Digest), found)
	}
	return found, err
}

// member returns the image for the platform among those that a reference points at. If there are
// several, it takes the one that BuildKit would: the best match. A member without a platform is
// taken only if no other fits, and if its config is for the platform.
func member(desc *remote.Descriptor, ref string, platform ocispecs.Platform) (v1.Image, error) {
	if !desc.MediaType.IsIndex() {
		image, err := desc.Image()
		if err != nil {
			return nil, err
		}
		return image, fits(image, ref, platform)
	}
	index, err := desc.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	best := bestMatch(manifest.Manifests, platform)
	if best == nil {
		return nil, &PlatformError{Ref: ref, Platform: platforms.Format(platform)}
	}
	image, err := index.Image(best.Digest)
	if err == nil && best.Platform == nil {
		err = fits(image, ref, platform)
	}
	return image, err
}

// bestMatch returns the member of an index that best fits a platform: arm64 before arm, amd64
// before 386. It returns nil if none fits.
func bestMatch(members []v1.Descriptor, platform ocispecs.Platform) *v1.Descriptor {
	matcher := platforms.Only(platform)
	var best *v1.Descriptor
	for i, m := range members {
		switch {
		case m.Platform != nil && !matcher.Match(platformOf(m)):
		case best == nil, best.Platform == nil && m.Platform != nil,
			best.Platform != nil && m.Platform != nil && matcher.Less(platformOf(m), platformOf(*best)):
			best = &members[i]
		}
	}
	return best
}

func platformOf(m v1.Descriptor) ocispecs.Platform {
	p := m.Platform
	return ocispecs.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion, OSFeatures: p.OSFeatures}
}

// fits returns an error for an image whose config names another architecture. An image that names
// none fits any.
func fits(image v1.Image, ref string, platform ocispecs.Platform) error {
	config, err := image.ConfigFile()
	if err == nil && config.Architecture != "" && config.Architecture != platform.Architecture {
		err = &PlatformError{Ref: ref, Platform: platforms.Format(platform)}
	}
	return err
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
