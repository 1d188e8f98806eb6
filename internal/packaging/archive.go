package packaging

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
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
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/source"
)

// Archives are the images of functions that are in files, open.
type Archives struct {
	folder string // for temporary files
	images []archived
}

// archived is an image of a file.
type archived struct {
	project.Archive
	image v1.Image
	ref   string
}

// OpenArchives opens the images of functions that are in files: archives of `docker save` and OCI
// layouts in a tar archive, both with or without gzip. Mistakes are at the lines of the functions.
// Close the result.
func OpenArchives(p *project.Project) (_ *Archives, err error) {
	all := &Archives{}
	if len(p.Archives()) == 0 {
		return all, nil
	}
	if all.folder, err = os.MkdirTemp("", "samforge-archives-"); err != nil {
		return nil, err
	}
	var mistakes source.Diagnostics
	for _, archive := range p.Archives() {
		opened, err := open(archive, all.folder)
		if err != nil {
			mistakes = append(mistakes, archive.Diagnostic("the image in %s: %v", archive.File, err))
			continue
		}
		all.images = append(all.images, opened)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes, all.Close())
	}
	return all, nil
}

// Close deletes the temporary files.
func (a *Archives) Close() error {
	if a.folder == "" {
		return nil
	}
	return os.RemoveAll(a.folder)
}

// References returns the references that the images are pushed to.
func (a *Archives) References() (refs []string) {
	for _, image := range a.images {
		refs = append(refs, image.ref)
	}
	return refs
}

// Push pushes the images that are not in their registries yet, and returns them by the names of their
// functions. An image that Lambda would refuse is a mistake at the line of its function, and is not
// pushed. warn gets what Lambda may not take as it is meant.
func (a *Archives) Push(ctx context.Context, client *registry.Client, warn func(sentence string)) (map[string]build.Ref, error) {
	pushed := map[string]build.Ref{}
	for _, image := range a.images {
		if err := image.judge(warn); err != nil {
			return pushed, err
		}
		digest, there, err := client.Digest(ctx, image.ref)
		if err == nil && !there {
			digest, err = client.Push(ctx, image.image, image.ref)
		}
		if err != nil {
			return pushed, fmt.Errorf("%s: %w", image.Name, err)
		}
		pushed[image.Name] = build.Ref{Name: image.ref, Digest: digest}
	}
	return pushed, nil
}

// judge returns what Lambda would refuse about the image.
func (a archived) judge(warn func(sentence string)) error {
	read := lambda.Image{}
	var err error
	if read.Manifest, err = a.image.RawManifest(); err == nil {
		read.Config, err = a.image.RawConfigFile()
	}
	if err != nil {
		return a.Diagnostic("the image in %s: %v", a.File, err)
	}
	var mistakes source.Diagnostics
	for _, finding := range lambda.Check(read, a.Lambda) {
		at := a.Diagnostic("Lambda: %s", finding.Message)
		if finding.Level == lambda.Error {
			mistakes = append(mistakes, at)
		} else {
			warn(at.Summary())
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

// open opens the image of an archive. Its temporary files are below folder.
func open(archive project.Archive, folder string) (archived, error) {
	opened := archived{Archive: archive}
	own, err := os.MkdirTemp(folder, "")
	if err != nil {
		return opened, err
	}
	file, err := unzipped(archive.File, own)
	if err != nil {
		return opened, err
	}
	names, err := namesIn(file)
	if err != nil {
		return opened, err
	}
	switch {
	case names["manifest.json"]:
		opened.image, err = tarball.ImageFromPath(file, nil)
	case names[layoutFile]:
		opened.image, err = imageOfLayout(file, filepath.Join(own, "layout"), archive.Platform())
	default:
		err = errors.New("it is no image: make one with docker save, or with --output type=docker")
	}
	if err != nil {
		return opened, err
	}
	// A layer of docker save is compressed when its digest is asked for, and when it is pushed.
	opened.image = cache.Image(opened.image, cache.NewFilesystemCache(filepath.Join(own, "layers")))
	id, err := opened.image.ConfigName()
	if err != nil {
		return opened, err
	}
	opened.ref, err = archive.Reference(id.Hex)
	return opened, err
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
			if err != nil {
				return nil, err
			}
			return imageOf(inner, platform)
		case desc.MediaType.IsImage() && (desc.Platform == nil || desc.Platform.OS+"/"+desc.Platform.Architecture == platform):
			images = append(images, desc)
		}
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("it has %d images for %s, and must have one", len(images), platform)
	}
	return index.Image(images[0].Digest)
}
