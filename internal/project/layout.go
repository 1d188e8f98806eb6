package project

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/ociindex"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/userfile"
)

// Layout is an image in an OCI layout on this machine:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
type Layout struct {
	Path   string
	Digest digest.Digest
}

// ParseLayout parses PATH[:TAG][@DIGEST], the text after oci-layout:// in a named context.
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
	// The code that reads the index below would read a device for ever.
	if _, err := userfile.Read(filepath.Join(path, ocispecs.ImageIndexFile), documentLimit); err != nil {
		return nil, fmt.Errorf("read the index of the OCI layout %s: %w", path, err)
	}
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

// Config returns the image config for a platform, as stored.
func (l Layout) Config(ctx context.Context, platform ocispecs.Platform) ([]byte, error) {
	blobs := layoutBlobs(l.Path)
	config, err := l.config(ctx, blobs, platform)
	if err != nil {
		return nil, fmt.Errorf("read %s of the OCI layout %s: %w", l.Digest, l.Path, err)
	}
	return config, nil
}

func (l Layout) config(ctx context.Context, blobs layoutBlobs, platform ocispecs.Platform) ([]byte, error) {
	manifest, err := blobs.read(l.Digest)
	if err != nil {
		return nil, err
	}
	var kind struct {
		MediaType string `json:"mediaType"`
		Manifests []any  `json:"manifests"`
	}
	if err := json.Unmarshal(manifest, &kind); err != nil {
		return nil, err
	}
	root := ocispecs.Descriptor{MediaType: kind.MediaType, Digest: l.Digest, Size: int64(len(manifest))}
	if root.MediaType == "" { // optional in OCI's documents
		root.MediaType = ocispecs.MediaTypeImageManifest
		if len(kind.Manifests) > 0 {
			root.MediaType = ocispecs.MediaTypeImageIndex
		}
	}
	config, err := images.Config(ctx, blobs, root, platforms.Only(platform))
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("it has no image for %s: %w", platforms.Format(platform), err)
	}
	if err != nil {
		return nil, err
	}
	return blobs.read(config.Digest)
}

// layoutBlobs is the folder of an OCI layout, as containerd reads images.
type layoutBlobs string

// ReaderAt returns the content of a blob.
func (b layoutBlobs) ReaderAt(_ context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	data, err := b.read(desc.Digest)
	if err != nil {
		return nil, err
	}
	return layoutBlob{bytes.NewReader(data)}, nil
}

// documentLimit is the maximum size of a manifest, an index or an image config, the same as for
// registries.
const documentLimit = 8 << 20

func (b layoutBlobs) read(dgst digest.Digest) ([]byte, error) {
	if err := dgst.Validate(); err != nil {
		return nil, err
	}
	data, err := userfile.Read(filepath.Join(string(b), ocispecs.ImageBlobsDir, dgst.Algorithm().String(), dgst.Encoded()), documentLimit)
	if err != nil {
		return nil, err
	}
	if got := dgst.Algorithm().FromBytes(data); got != dgst {
		return nil, fmt.Errorf("the blob %s has the digest %s", dgst, got)
	}
	return data, nil
}

type layoutBlob struct{ *bytes.Reader }

func (layoutBlob) Close() error { return nil }
