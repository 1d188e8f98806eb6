package project

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/moby/buildkit/client/ociindex"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout is an image in an OCI layout on this machine:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
type Layout struct {
	Path   string
	Digest digest.Digest
}

// ParseLayout reads PATH[:TAG][@DIGEST], what follows oci-layout:// in a named context.
func ParseLayout(value string) (Layout, error) {
	path, dgst, pinned := strings.Cut(value, "@")
	tag := "latest"
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		path, tag = path[:i], path[i+1:]
	}
	if pinned {
		parsed, err := digest.Parse(dgst)
		if err != nil {
			return Layout{}, fmt.Errorf("the digest of the OCI layout %s: %w", path, err)
		}
		return Layout{path, parsed}, nil
	}
	desc, err := layoutEntry(path, tag)
	if err != nil {
		return Layout{}, err
	}
	return Layout{path, desc.Digest}, nil
}

func layoutEntry(path, tag string) (*ocispecs.Descriptor, error) {
	index := ociindex.NewStoreIndex(path)
	if desc, err := index.Get(tag); err == nil && desc != nil {
		return desc, nil
	}
	desc, err := index.GetSingle()
	if err != nil {
		return nil, fmt.Errorf("read the index of the OCI layout %s: %w", path, err)
	}
	if desc == nil {
		return nil, fmt.Errorf("the OCI layout %s has no image tagged %s: name one as PATH:TAG or PATH@DIGEST", path, tag)
	}
	return desc, nil
}

// Config returns the image config for a platform, as it is stored.
func (l Layout) Config(platform ocispecs.Platform) ([]byte, error) {
	hash, err := v1.NewHash(l.Digest.String())
	if err != nil {
		return nil, err
	}
	root := layout.Path(l.Path)
	index, err := root.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("read the index of the OCI layout %s: %w", l.Path, err)
	}
	image, err := member(index, hash, platform)
	if err != nil {
		return nil, fmt.Errorf("read %s of the OCI layout %s: %w", l.Digest, l.Path, err)
	}
	return image.RawConfigFile()
}

// member returns the image at a hash, or the best one for the platform in the index at it.
func member(index v1.ImageIndex, hash v1.Hash, platform ocispecs.Platform) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(manifest.Manifests, func(d v1.Descriptor) bool { return d.Digest == hash })
	if i < 0 || !manifest.Manifests[i].MediaType.IsIndex() {
		return index.Image(hash)
	}
	inner, err := index.ImageIndex(hash)
	if err != nil {
		return nil, err
	}
	if manifest, err = inner.IndexManifest(); err != nil {
		return nil, err
	}
	matcher := platforms.Only(platform)
	best := slices.DeleteFunc(slices.Clone(manifest.Manifests), func(d v1.Descriptor) bool {
		return d.Platform == nil || !matcher.Match(specOf(d))
	})
	if len(best) == 0 {
		return nil, errors.New("it has no image for " + platforms.Format(platform))
	}
	slices.SortStableFunc(best, func(a, b v1.Descriptor) int {
		if matcher.Less(specOf(a), specOf(b)) {
			return -1
		}
		return 1
	})
	return inner.Image(best[0].Digest)
}

func specOf(d v1.Descriptor) ocispecs.Platform {
	return ocispecs.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
}
