package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/source"
)

// guard judges the images of functions: no image that Lambda would refuse gets a tag.
type guard struct {
	client *registry.Client

	mu       sync.Mutex
	warnings []string
}

// built returns the function that judges the image of a job. It reads what the builder has exported,
// because samforge may not reach the registry. If the builder has not kept that, it asks the
// registry.
func (g *guard) built(t project.Target) func(ctx context.Context, made builder.Result) error {
	return func(ctx context.Context, made builder.Result) error {
		digest := made.Response.ExporterResponse[exptypes.ExporterImageDigestKey]
		fromRegistry := ReadImage(ctx, g.client, registry.Repository(t.Refs[0])+"@"+digest)
		return g.judge(t, func(member string) (lambda.Image, error) {
			manifest, config, err := made.Builder.Image(ctx, cmp.Or(member, digest))
			if errors.Is(err, builder.ErrNotKept) {
				return fromRegistry(member)
			}
			return lambda.Image{Manifest: manifest, Config: config}, err
		})
	}
}

// found judges images that are in their registries, and returns what is wrong with each.
func (g *guard) found(ctx context.Context, images []Built) []error {
	wrong := make([]error, len(images))
	var eg errgroup.Group
	eg.SetLimit(maxLookups)
	for i, image := range images {
		if image.Target.Lambda == nil {
			continue
		}
		eg.Go(func() error {
			ref := registry.Repository(image.Refs[0].Name) + "@" + image.Refs[0].Digest
			wrong[i] = g.judge(image.Target, ReadImage(ctx, g.client, ref))
			return nil
		})
	}
	_ = eg.Wait() // the errors are in wrong
	return wrong
}

// judge returns what Lambda would refuse about an image, as mistakes at the place of its function.
func (g *guard) judge(t project.Target, read func(digest string) (lambda.Image, error)) error {
	found, err := lambda.CheckWith(*t.Lambda, read)
	if err != nil {
		return fmt.Errorf("check the image: %w", err)
	}
	var mistakes source.Diagnostics
	for _, finding := range found {
		at := t.Diagnostic("Lambda: %s", finding.Message)
		if finding.Level == lambda.Error {
			mistakes = append(mistakes, at)
			continue
		}
		g.mu.Lock()
		g.warnings = append(g.warnings, at.Summary())
		g.mu.Unlock()
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

// ReadImage returns a function that reads a reference's image from its registry, for
// [lambda.CheckWith].
func ReadImage(ctx context.Context, client *registry.Client, ref string) func(digest string) (lambda.Image, error) {
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
