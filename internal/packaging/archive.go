package packaging

import (
	"context"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/imagefile"
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
	var err error
	if opened.image, err = imagefile.Open(archive.File, archive.Platform(), folder); err != nil {
		return opened, err
	}
	id, err := opened.image.ConfigName()
	if err != nil {
		return opened, err
	}
	opened.ref, err = archive.Reference(id.Hex)
	return opened, err
}
