package packaging

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// maxReads is how many images are read at the same time.
const maxReads = 8

// Reader returns a function that reads a reference's image from its registry, for
// [lambda.CheckWith].
func Reader(ctx context.Context, client *registry.Client, ref string) func(digest string) (lambda.Image, error) {
	return func(digest string) (lambda.Image, error) {
		at := ref
		if digest != "" {
			at = registry.Repository(ref) + "@" + digest
		}
		read, err := client.Read(ctx, at)
		if err != nil {
			return lambda.Image{}, err
		}
		return lambda.Image{MediaType: read.MediaType, Manifest: read.Manifest, Config: read.Config}, nil
	}
}

// Guard returns what Lambda would refuse about the images that were pushed, as mistakes at the lines
// of their functions. warn gets what Lambda may not take as it is meant.
func Guard(ctx context.Context, p *project.Project, built []build.Built, client *registry.Client, warn func(sentence string)) error {
	functions := map[string]*samtemplate.Function{}
	for _, f := range p.Template().AllFunctions() {
		functions[f.Path] = f
	}
	found := make([][]lambda.Finding, len(built))
	var eg errgroup.Group
	eg.SetLimit(maxReads)
	for i, image := range built {
		eg.Go(func() (err error) {
			ref := registry.Repository(image.Refs[0].Name) + "@" + image.Refs[0].Digest
			if found[i], err = lambda.CheckWith(wanted(functions[image.Target.Name]), Reader(ctx, client, ref)); err != nil {
				return fmt.Errorf("check the image of %s: %w", image.Target.Name, err)
			}
			return nil
		})
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	var mistakes source.Diagnostics
	for i, image := range built {
		f := functions[image.Target.Name]
		for _, finding := range found[i] {
			at := f.Diagnostic(f.At, "Lambda: %s", finding.Message)
			if finding.Level == lambda.Error {
				mistakes = append(mistakes, at)
			} else {
				warn(at.Summary())
			}
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

// wanted returns what a function sets that its image is for.
func wanted(f *samtemplate.Function) lambda.Function {
	w := lambda.Function{
		Architecture: f.Architecture.Reveal(),
		EntryPoint:   revealed(f.ImageConfig.EntryPoint), Command: revealed(f.ImageConfig.Command),
		WorkingDirectory: f.ImageConfig.WorkingDirectory.Reveal(),
		Unresolved:       f.ImageConfig.Unresolved != nil,
	}
	for _, variable := range f.Environment {
		w.EnvironmentSize += len(variable.Name) + len(variable.Value.Reveal())
	}
	return w
}

func revealed(texts []samtemplate.Text) (plain []string) {
	for _, text := range texts {
		plain = append(plain, text.Reveal())
	}
	return plain
}
