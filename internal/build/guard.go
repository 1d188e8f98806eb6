package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/source"
)

// guard judges the images of functions: none that Lambda would refuse is pushed.
type guard struct {
	client *registry.Client

	mu       sync.Mutex
	warnings map[string]bool
}

// before returns a build that also judges its image, as far as that can be done before it is exported:
// the configuration. The rest follows from how samforge exports images. And it fails if the files
// have changed since the tag was made from them, or if the builder has other base images: an image
// under that tag is never built again.
func (g *guard) before(t project.Target, build gateway.BuildFunc) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		res, err := build(ctx, c)
		if err != nil {
			return nil, err
		}
		if config := res.Metadata[exptypes.ExporterImageConfigKey]; config != nil {
			err = g.judge(t, lambda.CheckConfig(config, *t.Lambda))
		}
		if err == nil && t.Changed != nil {
			err = sameInputs(ctx, c, t, res)
		}
		return res, err
	}
}

// sameInputs runs the steps of a build, so that the builder has read all files, and returns an error
// if these, or the base images that the builder has, are not what the target was to be made from.
func sameInputs(ctx context.Context, c gateway.Client, t project.Target, res *gateway.Result) error {
	for _, image := range t.Inputs.Images {
		if err := sameImage(ctx, c, image); err != nil {
			return err
		}
	}
	if err := res.EachRef(func(ref gateway.Reference) error { return ref.Evaluate(ctx) }); err != nil {
		return err
	}
	changed, err := t.Changed(ctx)
	if err == nil && changed {
		err = errors.New("files have changed while the image was built, and its tag says what it is made from: it is not pushed; run it again")
	}
	return err
}

// after judges an image that was pushed. It reads what the builder has exported, because samforge may
// not reach the registry. If the builder has not kept that, it asks the registry.
func (g *guard) after(ctx context.Context, t project.Target, by *builder.Builder, digest string) error {
	fromRegistry := ReadImage(ctx, g.client, registry.Repository(t.Refs[0])+"@"+digest)
	return g.check(t, func(member string) (lambda.Image, error) {
		manifest, config, err := by.Image(ctx, cmp.Or(member, digest))
		if errors.Is(err, builder.ErrNotKept) {
			return fromRegistry(member)
		}
		return lambda.Image{Manifest: manifest, Config: config}, err
	})
}

// sameImage returns an error if the builder has another image under a name than samforge has found. A
// mirror of the builder may be behind, or the tag may have moved.
func sameImage(ctx context.Context, c gateway.Client, image inputs.Image) error {
	if image.Config == "" || image.Frontend || image.Pin.Digest != "" {
		return nil // nobody has looked, or the lock file decides
	}
	_, _, config, err := c.ResolveImageConfig(ctx, image.Name, sourceresolver.Opt{
		LogName:  "[internal] compare " + image.Name,
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &image.Platform, ResolveMode: pb.AttrImageResolveModeDefault},
	})
	if err == nil && digest.FromBytes(config) != image.Config {
		err = fmt.Errorf("the builder has another image %s than its registry, from which the tag was made: the tag of the base image has moved, or a mirror of the builder is behind; run it again, or pin the image with samforge lock", image.Name)
	}
	return err
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
			wrong[i] = g.check(image.Target, ReadImage(ctx, g.client, ref))
			return nil
		})
	}
	_ = eg.Wait() // the errors are in wrong
	return wrong
}

// check judges the image that read returns; see [lambda.CheckWith].
func (g *guard) check(t project.Target, read func(digest string) (lambda.Image, error)) error {
	found, err := lambda.CheckWith(*t.Lambda, read)
	if err != nil {
		return fmt.Errorf("check the image: %w", err)
	}
	return g.judge(t, found)
}

// judge returns what Lambda would refuse, as mistakes at the place of the function.
func (g *guard) judge(t project.Target, found []lambda.Finding) error {
	var mistakes source.Diagnostics
	for _, finding := range found {
		at := t.Diagnostic("Lambda: %s", finding.Message)
		if finding.Level == lambda.Error {
			mistakes = append(mistakes, at)
			continue
		}
		g.mu.Lock()
		g.warnings[at.Summary()] = true
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
