// Node.js and npm in a folder, for tests that run npm without a builder.

package testenv

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// NodeFolder returns a folder of this machine's cache with the content of a node image's /var/lang:
// Node.js of a version at bin/node, and npm of any version beside it.
func NodeFolder(ctx context.Context, node, npm string) (string, error) {
	dir, err := cachePath("nodefolder", "1", node, npm)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "nodefolder-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := unpackNode(ctx, made, node, npm); err != nil {
		return "", fmt.Errorf("unpacking Node.js %s with npm %s: %w", node, npm, err)
	}
	return dir, os.Rename(made, dir)
}

// unpackNode unpacks the layer of a node image.
func unpackNode(ctx context.Context, dir, node, npm string) error {
	runtime, err := nodeRuntimeWith(ctx, node, npm, "amd64", "bookworm")
	if err != nil {
		return err
	}
	file, err := os.Open(runtime.kept.path)
	if err != nil {
		return err
	}
	defer file.Close()
	archive, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return eachEntry(archive, func(header *tar.Header, content io.Reader) error {
		name, err := filepath.Rel("/var/lang", filepath.Join("/", header.Name))
		if err != nil || header.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, header.FileInfo().Mode())
		if err != nil {
			return err
		}
		defer out.Close()
		_, err = io.Copy(out, content)
		return err
	})
}
