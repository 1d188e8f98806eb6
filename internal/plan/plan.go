package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/containerd/platforms"
	"github.com/docker/go-units"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// Planned is what [Build] would do, as far as can be told without building. Its
// JSON is documented in docs/plan.md.
type Planned struct {
	// Images are one for each target and platform, in the order of the build file.
	Images []PlannedImage `json:"images"`
	// Sources are what the images are made from, by name.
	Sources []PlannedSource `json:"sources"`
	// Warnings are those of the build file, and those that came up on the way.
	Warnings []string `json:"warnings"`
}

// PlannedImage is one image for one platform.
type PlannedImage struct {
	Target   string `json:"target"`
	Platform string `json:"platform"`
	// Tags are the references that it is to have; an index of several platforms has
	// the first of them.
	Tags []string `json:"tags,omitempty"`
	// Existing is the digest that the first tag has now, if its registry has it:
	// with --skip-existing nothing is built then.
	Existing string         `json:"existing,omitempty"`
	Layers   []PlannedLayer `json:"layers"`
}

// PlannedLayer is a layer of an image, or all layers of its base.
type PlannedLayer struct {
	Name string `json:"name"`
	// Source says where its files come from, before mirrors.
	Source string `json:"source"`
	Action Action `json:"action"`
	// Size in bytes, compressed; 0 where that is not known before it is built.
	Size int64 `json:"size,omitempty"`
	// Blobs is how many layers of the base there are.
	Blobs int `json:"blobs,omitempty"`
}

// PlannedSource is an image, a download or a package.
type PlannedSource struct {
	Kind     llbgen.InputKind `json:"kind"`
	Name     string           `json:"name"`
	Platform string           `json:"platform,omitempty"`
	Digest   string           `json:"digest,omitempty"`
	Size     int64            `json:"size,omitempty"`
	Action   Action           `json:"action"`
}

// Action says what becomes of a layer or a source.
type Action string

// The actions.
const (
	// ActionBuild makes a layer out of its sources.
	ActionBuild Action = "build"
	// ActionPull fetches an image, because files are copied out of it.
	ActionPull Action = "pull"
	// ActionMount leaves layers in the registry that they are in, which gives them to
	// the repository of the image.
	ActionMount Action = "mount"
	// ActionPresent is about layers that the repository of the image has already.
	ActionPresent Action = "present"
	// ActionCopy takes layers from one registry to the other, without unpacking them.
	ActionCopy Action = "copy"
	// ActionReference is about layers of an image that is not pushed.
	ActionReference Action = "reference"
	// ActionDownload fetches a file.
	ActionDownload Action = "download"
	// ActionInstall has npm install a package.
	ActionInstall Action = "install"
)

// Plan resolves everything and builds nothing: no layer is pulled. Mistakes in the
// input are an [*InputError].
func Plan(ctx context.Context, opt Options) (*Planned, error) {
	return planWith(ctx, opt, registry.NewResolver(ctx), true)
}

// Draw returns the picture of what [Build] would make. It asks nothing of the
// registry that the images go to.
func Draw(ctx context.Context, opt Options) (*Picture, error) {
	planned, err := planWith(ctx, opt, registry.NewResolver(ctx), false)
	if err != nil {
		return nil, err
	}
	return planned.picture(), nil
}

func planWith(ctx context.Context, opt Options, resolver *registry.Resolver, askTarget bool) (*Planned, error) {
	amd64 := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	l, images, err := loadImages(opt, amd64)
	if err != nil {
		return nil, inputError(err)
	}
	p := &planning{
		lookup:    &lookup{plan: l.plan, context: l.context, registry: resolver},
		askTarget: askTarget,
		sources:   map[sourceKey]PlannedSource{}, warnings: map[string]bool{}, seen: map[string]func() (bool, error){},
	}
	for _, d := range l.plan.WarningsOf(l.targets...) {
		p.warnings[d.Summary()] = true
	}
	planned := &Planned{}
	eg, egCtx := errgroup.WithContext(ctx)
	eg.SetLimit(maxLookups)
	for _, i := range images {
		for _, platform := range i.platforms {
			planned.Images = append(planned.Images, PlannedImage{})
			n := len(planned.Images) - 1
			eg.Go(func() error {
				image, err := p.image(egCtx, i, platform, amd64)
				if err != nil {
					return fmt.Errorf("%s: %w", i.Name, err)
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				planned.Images[n] = image
				return nil
			})
		}
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	planned.Sources = slices.SortedFunc(maps.Values(p.sources), func(a, b PlannedSource) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Platform, b.Platform))
	})
	planned.Warnings = slices.AppendSeq([]string{}, maps.Keys(p.warnings))
	slices.Sort(planned.Warnings)
	return planned, nil
}

// loadImages reads the build file and finds the images that are asked for.
func loadImages(opt Options, builder ocispecs.Platform) (*request, []image, error) {
	r := &request{opt: opt, args: withMirrors(opt)}
	if err := r.load(); err != nil {
		return nil, nil, err
	}
	images, err := planImages(r.plan, r.targets, opt, builder)
	return r, images, err
}

// planning is one run of Plan.
type planning struct {
	*lookup
	askTarget bool // whether the images and their layers are in the target repository

	mu       sync.Mutex
	sources  map[sourceKey]PlannedSource
	warnings map[string]bool
	seen     map[string]func() (bool, error) // whether a repository has a blob
}

type sourceKey struct{ name, platform string }

func (p *planning) image(ctx context.Context, i image, platform, builder ocispecs.Platform) (PlannedImage, error) {
	graph, err := p.plan.Build(ctx, i.Target, p.options(platform, builder))
	if err != nil {
		return PlannedImage{}, err
	}
	planned := PlannedImage{Target: i.Name, Platform: platforms.Format(platform), Tags: i.refs}
	if member, ok := i.members[platform.Architecture]; ok {
		planned.Tags = append(slices.Clone(i.refs), member)
	}
	base, err := p.base(ctx, graph.Base, platform, planned.Tags)
	if err != nil {
		return planned, err
	}
	planned.Layers = append(planned.Layers, base)
	for _, layer := range graph.Layers {
		planned.Layers = append(planned.Layers, PlannedLayer{Name: layer.Name, Source: layer.Source, Action: ActionBuild})
	}
	if p.askTarget && len(planned.Tags) > 0 {
		if planned.Existing, _, err = registry.Digest(ctx, planned.Tags[0]); err != nil {
			return planned, err
		}
	}
	return planned, p.addSources(ctx, graph, base)
}

// base says what becomes of the base image's layers.
func (p *planning) base(ctx context.Context, base *llbgen.SourceImage, platform ocispecs.Platform, tags []string) (PlannedLayer, error) {
	_, from, err := p.source(base.Name, llbgen.Pin{Digest: base.Digest})
	if err != nil {
		return PlannedLayer{}, err
	}
	found, err := p.registry.Resolve(from, platform)
	if err != nil {
		return PlannedLayer{}, err
	}
	layer := PlannedLayer{Name: "base", Source: "image " + base.Name, Action: ActionReference, Blobs: len(found.Layers)}
	for _, blob := range found.Layers {
		layer.Size += blob.Size
	}
	if len(tags) == 0 {
		return layer, nil
	}
	if registry.Same(from, tags[0]) {
		layer.Action = ActionMount
		return layer, nil
	}
	if !p.askTarget {
		layer.Action = ActionCopy
		return layer, nil
	}
	layer.Action = ActionPresent
	for _, blob := range found.Layers {
		ok, err := p.has(ctx, tags[0], blob.Digest)
		if err != nil {
			return layer, err
		}
		if !ok {
			layer.Action = ActionCopy
			break
		}
	}
	return layer, nil
}

// has reports whether the repository of ref has a blob, and asks once.
func (p *planning) has(ctx context.Context, ref, blob string) (bool, error) {
	key := registry.Repository(ref) + "@" + blob
	p.mu.Lock()
	once, ok := p.seen[key]
	if !ok {
		once = sync.OnceValues(func() (bool, error) { return registry.HasBlob(ctx, ref, blob) })
		p.seen[key] = once
	}
	p.mu.Unlock()
	return once()
}

// addSources adds what an image is made from, and its warnings.
func (p *planning) addSources(ctx context.Context, graph *llbgen.Image, base PlannedLayer) error {
	actions := map[llbgen.InputKind]Action{llbgen.InputImage: ActionPull, llbgen.InputDownload: ActionDownload, llbgen.InputPackage: ActionInstall}
	for _, in := range graph.Inputs {
		source := PlannedSource{Kind: in.Kind, Name: in.Name, Digest: in.Digest.String(), Action: actions[in.Kind]}
		if in.Kind == llbgen.InputImage {
			source.Platform = platforms.Format(in.Platform)
			_, from, err := p.source(in.Name, llbgen.Pin{Digest: in.Digest})
			if err != nil {
				return err
			}
			found, err := p.registry.Resolve(from, in.Platform)
			if err != nil {
				return err
			}
			for _, blob := range found.Layers {
				source.Size += blob.Size
			}
		}
		if in.Name == graph.Base.Name {
			source.Action = base.Action
		}
		p.add(source)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range graph.Warnings {
		p.warnings[d.Summary()] = true
	}
	return nil
}

// add keeps a source. One that is the base of an image and the source of another
// one's files is pulled.
func (p *planning) add(source PlannedSource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := sourceKey{source.Name, source.Platform}
	if old, ok := p.sources[key]; ok && old.Action == ActionPull {
		return
	}
	p.sources[key] = source
}

// WriteJSON writes the plan as JSON.
func (p *Planned) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p)
}

// WriteTable writes the plan for people.
func (p *Planned) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TARGET\tPLATFORM\tBASE\tLAYERS\tIN REGISTRY\tTAG")
	for _, i := range p.Images {
		var layers []string
		for _, l := range i.Layers[1:] {
			layers = append(layers, l.Name)
		}
		existing := "no"
		if i.Existing != "" {
			existing = "yes"
		}
		base := i.Layers[0]
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\t%s\n", i.Target, i.Platform, base.Action, size(base.Size), strings.Join(layers, ", "),
			existing, strings.Join(i.Tags, ", "))
	}
	fmt.Fprintln(table, "\nSOURCE\tPLATFORM\tACTION\tSIZE\tDIGEST\t")
	for _, s := range p.Sources {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", s.Name, cmp.Or(s.Platform, "-"), s.Action, size(s.Size), cmp.Or(s.Digest, "not pinned"))
	}
	if err := table.Flush(); err != nil || len(p.Warnings) == 0 {
		return err
	}
	_, err := fmt.Fprintln(w, "\nWARNINGS\n"+strings.Join(p.Warnings, "\n"))
	return err
}

// size is a number of bytes for people.
func size(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return units.HumanSize(float64(bytes))
}
