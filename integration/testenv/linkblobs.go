// Layers get into a registry's storage by hard links. The stand-ins of one test bed are a gigabyte,
// and uploading them takes longer than most tests.

package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// linkLayers links the layers of an image that are in this machine's cache into a repository of the
// registry, in the places where an upload would put them. Layers that cannot be linked, because the
// cache is on another file system, are uploaded afterwards.
//
// The layout is that of
// https://github.com/distribution/distribution/blob/v3.0.0/registry/storage/paths.go
func (r *Registry) linkLayers(repository string, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	root := r.dir.join("storage", "docker", "registry", "v2")
	for _, l := range layers {
		cached, ok := l.(*layer)
		if !ok {
			continue
		}
		sum := cached.meta.Digest
		blob := filepath.Join(root, "blobs", sum.Algorithm, sum.Hex[:2], sum.Hex, "data")
		if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
			return err
		}
		if err := os.Link(cached.path, blob); err != nil && !errors.Is(err, fs.ErrExist) {
			continue
		}
		link := filepath.Join(root, "repositories", repository, "_layers", sum.Algorithm, sum.Hex, "link")
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(link, []byte(sum.String()), 0o644); err != nil {
			return fmt.Errorf("linking a layer: %w", err)
		}
	}
	return nil
}
