package plan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// maxLookups is how many requests to registries run at the same time.
const maxLookups = 16

// New returns the plan of a project. It resolves everything and builds nothing: no layer is pulled.
// Mistakes in the input are a [*project.InputError].
func New(ctx context.Context, p *project.Project, client *registry.Client) (*Plan, error) {
	return newPlan(ctx, p, registry.NewResolver(ctx, client), client)
}

// Draw returns a picture of the images that a build would make. It sends no request to the registry
// that the images are pushed to.
func Draw(ctx context.Context, p *project.Project, client *registry.Client) (*Picture, error) {
	if p.IsTemplate() {
		return drawFunctions(ctx, p, client)
	}
	plan, err := newPlan(ctx, p, registry.NewResolver(ctx, client), nil)
	if err != nil {
		return nil, err
	}
	return plan.picture(), nil
}

func newPlan(ctx context.Context, p *project.Project, resolver *registry.Resolver, target *registry.Client) (*Plan, error) {
	amd64 := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	targets, err := p.Targets(amd64)
	if err != nil {
		return nil, err
	}
	n := &planning{
		images:  p.NewLookup(resolver),
		builder: amd64,
		target:  target,
		sources: map[sourceKey]Source{}, warnings: map[string]bool{}, seen: map[string]func() (bool, error){},
	}
	n.warn(p.Warnings())
	images, err := n.all(ctx, targets)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Images: images, Warnings: slices.AppendSeq([]string{}, maps.Keys(n.warnings))}
	plan.Sources = slices.SortedFunc(maps.Values(n.sources), func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Platform, b.Platform))
	})
	slices.Sort(plan.Warnings)
	plan.Totals = plan.total()
	return plan, nil
}

// planning is one run of New.
type planning struct {
	images  *project.Lookup
	builder ocispecs.Platform
	target  *registry.Client // checks whether the images and their layers are in the target repository; nil skips that

	mu       sync.Mutex
	sources  map[sourceKey]Source
	warnings map[string]bool
	seen     map[string]func() (bool, error) // whether a repository has a blob
}

type sourceKey struct{ name, platform string }

// all plans the images of all targets side by side, in the order of the targets.
func (n *planning) all(ctx context.Context, targets []project.Target) ([]Image, error) {
	count := 0
	for _, t := range targets {
		count += len(t.Platforms)
	}
	images := make([]Image, count) // each goroutine writes to its own place
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxLookups)
	i := 0
	for _, t := range targets {
		for _, platform := range t.Platforms {
			image := &images[i]
			i++
			eg.Go(func() (err error) {
				if *image, err = n.image(ctx, t, platform); err != nil {
					return fmt.Errorf("%s: %w", t.Name, err)
				}
				return nil
			})
		}
	}
	return images, eg.Wait()
}

func (n *planning) image(ctx context.Context, t project.Target, platform ocispecs.Platform) (Image, error) {
	described, err := t.Describe(ctx, platform, n.builder, n.images)
	if err != nil {
		return Image{}, err
	}
	image := Image{Target: t.Name, Platform: platforms.Format(platform), Tags: t.Refs}
	if member, ok := t.Members[platform.Architecture]; ok {
		image.Tags = append(slices.Clone(t.Refs), member)
	}
	base, err := n.base(ctx, described.Base, platform, image.Tags)
	if err != nil {
		return image, err
	}
	image.Layers = append(image.Layers, base)
	for _, layer := range described.Layers {
		image.Layers = append(image.Layers, Layer{Name: layer.Name, Source: layer.Source, Action: ActionBuild})
	}
	if n.target != nil && len(image.Tags) > 0 {
		if image.Existing, _, err = n.target.Digest(ctx, image.Tags[0]); err != nil {
			return image, err
		}
	}
	n.warn(described.Warnings)
	return image, n.addSources(described, base)
}

// base says what happens to the base image's layers.
func (n *planning) base(ctx context.Context, base *llbgen.SourceImage, platform ocispecs.Platform, tags []string) (Layer, error) {
	from, err := n.images.From(base.Name, base.Digest)
	if err != nil {
		return Layer{}, err
	}
	found, err := n.images.Image(base.Name, base.Digest, platform)
	if err != nil {
		return Layer{}, err
	}
	layer := Layer{Name: "base", Source: "image " + base.Name, Action: ActionReference, Blobs: len(found.Layers), Size: size(found)}
	switch {
	case len(tags) == 0:
		return layer, nil
	case from != "" && registry.Same(from, tags[0]):
		layer.Action = ActionMount
		return layer, nil
	}
	layer.Action = ActionCopy
	if n.target == nil || len(found.Layers) == 0 {
		return layer, nil
	}
	for _, blob := range found.Layers {
		if ok, err := n.has(ctx, tags[0], blob.Digest); !ok || err != nil {
			return layer, err
		}
	}
	layer.Action = ActionPresent
	return layer, nil
}

// size returns the size of an image's layers in bytes, compressed.
func size(image *registry.Image) (bytes int64) {
	for _, blob := range image.Layers {
		bytes += blob.Size
	}
	return bytes
}

// has reports whether the repository of ref has a blob. It asks the registry once.
func (n *planning) has(ctx context.Context, ref, blob string) (bool, error) {
	key := registry.Repository(ref) + "@" + blob
	n.mu.Lock()
	once, ok := n.seen[key]
	if !ok {
		once = sync.OnceValues(func() (bool, error) { return n.target.HasBlob(ctx, ref, blob) })
		n.seen[key] = once
	}
	n.mu.Unlock()
	return once()
}

// addSources adds the sources of an image.
func (n *planning) addSources(image *llbgen.Image, base Layer) error {
	actions := map[llbgen.InputKind]Action{llbgen.InputImage: ActionPull, llbgen.InputDownload: ActionDownload, llbgen.InputPackage: ActionInstall}
	for _, in := range image.Inputs {
		source := Source{Kind: in.Kind, Name: in.Name, Digest: in.Digest.String(), Action: actions[in.Kind]}
		if in.Kind == llbgen.InputImage {
			source.Platform = platforms.Format(in.Platform)
			found, err := n.images.Image(in.Name, in.Digest, in.Platform)
			if err != nil {
				return err
			}
			source.Size = size(found)
		}
		if in.Name == image.Base.Name {
			source.Action = base.Action
		}
		n.add(source)
	}
	return nil
}

// add adds a source. An image that is both a base and a source of copied files counts as pulled.
func (n *planning) add(source Source) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := sourceKey{source.Name, source.Platform}
	if known, ok := n.sources[key]; ok && known.Action == ActionPull {
		return
	}
	n.sources[key] = source
}

func (n *planning) warn(warnings []*source.Diagnostic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range warnings {
		n.warnings[d.Summary()] = true
	}
}
