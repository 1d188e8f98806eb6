// Package imagefile opens images that are in files: archives of `docker save`, and OCI layouts in a tar
// archive, both with or without gzip.
package imagefile

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/cache"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/samforge/samforge/internal/userfile"
)

// Open opens the image in a file. An OCI layout may have several: platform, such as linux/amd64, says
// which one is meant; if it is empty, there must be one. Temporary files are below folder, and must
// stay as long as the image is used. A file that is cut short, or no image, is an error that says what
// to do.
func Open(name, platform, folder string) (v1.Image, error) {
	if err := userfile.CheckRegular(name); err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(folder, "")
	if err != nil {
		return nil, err
	}
	file, err := unzipped(name, own)
	if err != nil {
		return nil, err
	}
	names, err := namesIn(file)
	if err != nil {
		return nil, err
	}
	var image v1.Image
	switch {
	case names["manifest.json"]:
		image, err = tarball.ImageFromPath(file, nil)
	case names[layoutFile]:
		image, err = imageOfLayout(file, filepath.Join(own, "layout"), platform)
	default:
		err = errors.New("it is no image: make one with docker save, or with --output type=docker")
	}
	if err != nil {
		return nil, err
	}
	// A layer of docker save is compressed when its digest is asked for, and when it is pushed.
	return cache.Image(image, cache.NewFilesystemCache(filepath.Join(own, "layers"))), nil
}

// unzipped returns the path of an archive without gzip, which may be one in folder.
func unzipped(name, folder string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	head := bufio.NewReader(file)
	if magic, _ := head.Peek(2); string(magic) != "\x1f\x8b" {
		return name, nil
	}
	content, err := gzip.NewReader(head)
	if err != nil {
		return "", err
	}
	plain, err := os.Create(filepath.Join(folder, "archive.tar"))
	if err != nil {
		return "", err
	}
	defer plain.Close()
	if _, err := io.Copy(plain, content); err != nil {
		return "", cutShort(err)
	}
	return plain.Name(), nil
}

func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is cut short: make it again")
	}
	return err
}

// namesIn returns the names of the files in a tar archive.
func namesIn(name string) (map[string]bool, error) {
	names := map[string]bool{}
	return names, eachFile(name, func(name string, _ io.Reader) error {
		names[name] = true
		return nil
	})
}

// eachFile calls f for each regular file of a tar archive, and reads the archive to its end.
func eachFile(archive string, f func(name string, content io.Reader) error) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := tar.NewReader(bufio.NewReader(file))
	for {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, tar.ErrHeader):
			return errors.New("it is no tar archive: make it with docker save, or with --output type=docker")
		case err != nil:
			return cutShort(err)
		case header.Typeflag != tar.TypeReg:
			continue
		}
		if err := f(path.Clean(header.Name), reader); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return cutShort(err)
		}
	}
}

// layoutFile marks an OCI layout:
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md#oci-layout-file
const layoutFile = "oci-layout"

// imageOfLayout returns the image for a platform of an OCI layout in a tar archive, which it unpacks
// into a new folder.
func imageOfLayout(archive, folder, platform string) (v1.Image, error) {
	err := eachFile(archive, func(name string, content io.Reader) error {
		if !filepath.IsLocal(name) || name != layoutFile && name != "index.json" && !strings.HasPrefix(name, "blobs/") {
			return nil
		}
		to := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		file, err := os.Create(to)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, content); err != nil {
			return errors.Join(cutShort(err), file.Close())
		}
		return file.Close()
	})
	if err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, err
	}
	return imageOf(index, platform)
}

// imageOf returns the image for a platform of an index, and of the indexes in it.
func imageOf(index v1.ImageIndex, platform string) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var images []v1.Descriptor
	for _, desc := range manifest.Manifests {
		switch {
		case desc.MediaType.IsIndex() && len(manifest.Manifests) == 1:
			inner, err := index.ImageIndex(desc.Digest)
			if err == nil {
				err = checkDigest(inner, desc)
			}
			if err != nil {
				return nil, err
			}
			return imageOf(inner, platform)
		case desc.MediaType.IsImage() && (desc.Platform == nil || platform == "" || desc.Platform.OS+"/"+desc.Platform.Architecture == platform):
			images = append(images, desc)
		}
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("it has %d images%s, and must have one", len(images), strings.TrimSuffix(" for "+platform, " for "))
	}
	image, err := index.Image(images[0].Digest)
	if err != nil {
		return nil, err
	}
	return image, checkDigest(image, images[0])
}

// checkDigest returns an error unless a document has the digest that it is named by. So no index can be
// in itself.
func checkDigest(document partial.WithRawManifest, desc v1.Descriptor) error {
	got, err := partial.Digest(document)
	if err == nil && got != desc.Digest {
		err = fmt.Errorf("the file is damaged, because %s in it has the digest %s: make it again", desc.Digest, got)
	}
	return err
}
