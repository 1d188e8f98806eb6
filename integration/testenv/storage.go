// Stand-ins get into a registry's storage as files, and layers by hard links. The stand-ins of one
// test bed are 60 images with a gigabyte, and uploading them takes longer than most tests.

package testenv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// storage is the directory in which a distribution registry keeps its content. Its layout is that of
// https://github.com/distribution/distribution/blob/v3.1.2/registry/storage/paths.go
type storage string

func (r *Registry) storage() storage {
	return storage(r.dir.join("storage", "docker", "registry", "v2"))
}

// addImage puts an image without a tag into a repository.
func (s storage) addImage(repository string, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		sum, err := layer.Digest()
		if err == nil {
			err = s.addLayer(sum, layer)
		}
		if err == nil {
			err = s.link(sum, "repositories", repository, "_layers", sum.Algorithm, sum.Hex)
		}
		if err != nil {
			return fmt.Errorf("storing a layer: %w", err)
		}
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	sum, err := image.ConfigName()
	if err == nil {
		err = s.addBlob(sum, config)
	}
	if err == nil {
		err = s.link(sum, "repositories", repository, "_layers", sum.Algorithm, sum.Hex)
	}
	if err != nil {
		return fmt.Errorf("storing a configuration: %w", err)
	}
	return s.addManifest(repository, image)
}

// manifest is an image or an index.
type manifest interface {
	RawManifest() ([]byte, error)
	Digest() (v1.Hash, error)
}

// addManifest puts a manifest without a tag into a repository that has what it refers to.
func (s storage) addManifest(repository string, m manifest) error {
	data, err := m.RawManifest()
	if err != nil {
		return err
	}
	sum, err := m.Digest()
	if err == nil {
		err = s.addBlob(sum, data)
	}
	if err == nil {
		err = s.link(sum, "repositories", repository, "_manifests", "revisions", sum.Algorithm, sum.Hex)
	}
	if err != nil {
		return fmt.Errorf("storing a manifest: %w", err)
	}
	return nil
}

// tag makes a tag of to's repository point to a manifest in it. A reference by digest needs none.
func (s storage) tag(to name.Reference, sum v1.Hash) error {
	tag, ok := to.(name.Tag)
	if !ok {
		return nil
	}
	dir := filepath.Join("repositories", tag.RepositoryStr(), "_manifests", "tags", tag.TagStr())
	if err := s.link(sum, dir, "index", sum.Algorithm, sum.Hex); err != nil {
		return fmt.Errorf("storing a tag: %w", err)
	}
	if err := s.link(sum, dir, "current"); err != nil {
		return fmt.Errorf("storing a tag: %w", err)
	}
	return nil
}

// addLayer makes a hard link to a layer that is in this machine's cache, and copies another one.
func (s storage) addLayer(sum v1.Hash, l v1.Layer) error {
	path, err := s.newBlob(sum)
	if path == "" || err != nil {
		return err
	}
	if cached, ok := l.(*layer); ok {
		err := os.Link(cached.path, path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	content, err := l.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return writeCached(path, func(out *os.File) error {
		_, err := io.Copy(out, content)
		return err
	})
}

func (s storage) addBlob(sum v1.Hash, data []byte) error {
	path, err := s.newBlob(sum)
	if path == "" || err != nil {
		return err
	}
	return writeCached(path, func(out *os.File) error {
		_, err := out.Write(data)
		return err
	})
}

// newBlob returns the path of a blob, in a directory that exists, or "" if the storage has the blob.
func (s storage) newBlob(sum v1.Hash) (path string, err error) {
	path = filepath.Join(string(s), "blobs", sum.Algorithm, sum.Hex[:2], sum.Hex, "data")
	if _, err := os.Stat(path); err == nil {
		return "", nil
	}
	return path, os.MkdirAll(filepath.Dir(path), 0o755)
}

// link writes a file that refers to a blob. Elements are the parts of its directory.
func (s storage) link(sum v1.Hash, elements ...string) error {
	dir := filepath.Join(append([]string{string(s)}, elements...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "link"), []byte(sum.String()), 0o644)
}
