package llbgen

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/source"
)

// Options are what [Plan.Build] needs from outside.
type Options struct {
	// Platform is what the image is for.
	Platform ocispecs.Platform
	// BuildPlatform is the builder's own platform. npm runs on it.
	BuildPlatform ocispecs.Platform
	// Resolve finds an image for a platform: the one in pin, or, if pin is empty, the one that the
	// reference points to now.
	Resolve func(ctx context.Context, ref string, platform ocispecs.Platform, pin Pin) (*SourceImage, error)
	// ReadFile reads a file of the build context, by its path there. Only a build file that names
	// an npm lock needs it.
	ReadFile func(ctx context.Context, path string) ([]byte, error)
	// Run is how steps run: their network, proxies, hosts and limits; optional.
	Run []llb.RunOption
	// CacheNamespace separates the cache folders of steps from those of other builds; optional.
	CacheNamespace string
	// Checksum downloads a file and returns its SHA-256 digest. Without it, downloads that nothing
	// pins have no checksum in the graph.
	Checksum func(ctx context.Context, d Download) (digest.Digest, error)
	// NoMerge assembles the image by copies, for a worker without MergeOp.
	NoMerge bool
	// NoCache makes every step of the image run again.
	NoCache bool
	// Epoch is the time of every file and of the image; zero means [DefaultEpoch].
	Epoch time.Time
	// Labels are added to the image config, over those of the build file.
	Labels map[string]string
	// SourceMap ties the steps to their lines of the build file; optional.
	SourceMap *llb.SourceMap
	// Prefix stands in brackets before the name of each step; optional.
	Prefix string
}

// DefaultEpoch is the time of every file that samforge writes, unless SOURCE_DATE_EPOCH gives
// another. It is the first moment that a zip archive can express, since what CI packs from these
// images often ends up in one.
func DefaultEpoch() time.Time { return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }

// SourceImage is an image to build from, resolved for one platform.
type SourceImage struct {
	// Name is the reference as the user knows it, before mirrors.
	Name string
	// Digest is what the reference points to; empty for plain files.
	Digest digest.Digest
	// Manifest is the digest of the image for the platform, if known.
	Manifest digest.Digest
	// State is the root file system.
	State llb.State
	// Config is the image config; nil for plain files, such as a named context that is a folder.
	Config *dockerspec.DockerOCIImage
}

// Image is one image for one platform, as a graph.
type Image struct {
	// State is the root file system. Do not build on it: an operation on top would unpack the base
	// image.
	State llb.State
	// Config is the image config; the exporter adds the layers.
	Config *dockerspec.DockerOCIImage
	// Base is the image that it is built on.
	Base *SourceImage
	// Layers are what State adds to the base image, in order.
	Layers []*Layer
	// Inputs are the images, downloads and packages that it is made from, by name.
	Inputs []Input
	// Checks must succeed before the image is used. There are none unless the plan says
	// [VerifyFull].
	Checks []*Check
	// Warnings are those of this build.
	Warnings []*source.Diagnostic

	build *build
}

// Layer is one layer of the image, rooted at scratch.
type Layer struct {
	// Name says what the layer adds: "plugin".
	Name string
	// Source says where its files come from, before mirrors: "plugin image …".
	Source string
	// Field is the place in the build file that names the source.
	Field string
	// State is the layer's content.
	State llb.State
	// Executables are the paths in it that must be ELF files for the platform.
	Executables []string
	// Scripts are the paths in it that must be regular files.
	Scripts []string
	// Overlays is true if the layer may replace files of the base image.
	Overlays bool

	labels   map[string]string
	checks   []check
	software []software
}

// build is the build of one target.
type build struct {
	plan   *Plan
	target Target
	opt    Options

	mu       sync.Mutex
	warnings []*source.Diagnostic
	inputs   map[inputKey]Input
}

// Build expresses target t as a graph. It wraps errors of Resolve, ReadFile and Checksum with the
// place in the build file.
func (p *Plan) Build(ctx context.Context, t Target, opt Options) (*Image, error) {
	if opt.Epoch.IsZero() {
		opt.Epoch = DefaultEpoch()
	}
	b := &build{plan: p, target: t, opt: opt}
	image, err := p.kind().build(ctx, b)
	if err != nil {
		return nil, err
	}
	image.build = b
	image.Inputs = b.sortedInputs()
	image.Warnings = b.warnings
	sortByPlace(image.Warnings) // layers are made concurrently
	return image, nil
}

// A layerFunc makes one layer, or returns nil if the build file leaves it out.
type layerFunc func(ctx context.Context) (*Layer, error)

// recipe says what is added to the base image.
type recipe struct {
	entrypoint string
	// user is the user of the entrypoint; empty means the base's.
	user string
	// path are the folders before the base's PATH.
	path []string
	// layers are added in this order.
	layers []layerFunc
	// checks are those of the base image's programs.
	checks []check
}

// assemble resolves the base image and makes the layers, concurrently. It puts them together: the
// base first and unchanged, then each layer.
func (b *build) assemble(ctx context.Context, r recipe) (*Image, error) {
	var base *SourceImage
	made := make([]*Layer, len(r.layers))
	eg, egCtx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		base, err = b.baseImage(egCtx)
		return err
	})
	for i, layer := range r.layers {
		eg.Go(func() (err error) {
			made[i], err = layer(egCtx)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	made = slices.DeleteFunc(made, func(l *Layer) bool { return l == nil })
	config := b.config(base, made, r)
	return &Image{
		State:  b.stack(base.State, made),
		Config: config,
		Base:   base,
		Layers: made,
		Checks: b.checks(base, made, config, r),
	}, nil
}

// AssembleStep is the end of the name of the step that lays layers over one another. It costs nothing, so
// no cache holds it.
const AssembleStep = "assemble the image"

// stack puts the layers on the base with one flat merge, which needs none of the base's files. The
// merge costs nothing, so it ignores the cache: to look for a cached merge, BuildKit would fetch
// all inputs and hash their content.
func (b *build) stack(base llb.State, layers []*Layer) llb.State {
	if b.opt.NoMerge {
		b.warn("", "this builder has no MergeOp: the base image is unpacked and copied to, which is slower")
		return b.stackByCopy(base, layers)
	}
	return llb.Merge(states(base, layers), append(b.step("runtimes", AssembleStep), llb.IgnoreCache)...)
}

func states(base llb.State, layers []*Layer) []llb.State {
	all := []llb.State{base}
	for _, l := range layers {
		all = append(all, l.State)
	}
	return all
}

// stackByCopy makes the same layers by copies, for a builder without MergeOp. It unpacks the base
// image.
func (b *build) stackByCopy(base llb.State, layers []*Layer) llb.State {
	for _, l := range layers {
		base = base.File(
			llb.Copy(l.State, "/", "/", &llb.CopyInfo{CopyDirContentsOnly: true, CreatedTime: &b.opt.Epoch}),
			b.step(l.Field, "add the layer %s", l.Name)...)
	}
	return base
}

// baseImage resolves the base image of the target. A folder cannot be one: the image config is a
// part of the result.
func (b *build) baseImage(ctx context.Context) (*SourceImage, error) {
	base, err := b.image(ctx, b.target.path+".image", b.target.Base)
	if err != nil {
		return nil, err
	}
	if base.Config == nil {
		return nil, b.plan.doc.At(b.target.path+".image", "%s is replaced by plain files, and a base image needs a config: use docker-image:// or oci-layout://", b.target.Base)
	}
	return base, nil
}

// image resolves ref and checks that it is for the platform.
func (b *build) image(ctx context.Context, field, ref string) (*SourceImage, error) {
	return b.imageOn(ctx, b.opt.Platform, field, ref)
}

func (b *build) imageOn(ctx context.Context, platform ocispecs.Platform, field, ref string) (*SourceImage, error) {
	pin, err := b.pin(field, ref, platform)
	if err != nil {
		return nil, b.plan.At(field, err)
	}
	image, err := b.opt.Resolve(ctx, ref, platform, pin)
	if err != nil {
		return nil, b.plan.At(field, err)
	}
	if image.Digest != "" {
		b.input(Input{Kind: InputImage, Field: field, Name: image.Name, Digest: image.Digest, Platform: platform, Manifest: image.Manifest})
	}
	if c := image.Config; c != nil && c.Architecture == "" {
		return nil, b.plan.doc.At(field, "%s does not say which architecture it is for: name one that is for %s", ref, platforms.Format(platform))
	} else if c != nil && c.Architecture != platform.Architecture {
		return nil, b.plan.doc.At(field, "%s is an image for %s/%s, not for %s: name one that has %s",
			ref, c.OS, c.Architecture, platforms.Format(platform), platform.Architecture)
	}
	return image, nil
}

func (b *build) arch() string { return b.opt.Platform.Architecture }

func (b *build) warn(field, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warnings = append(b.warnings, b.plan.doc.At(field, format, args...))
}

// findf adds a finding of a rule to the warnings, if the rule counts.
func (b *build) findf(rule, field, format string, args ...any) {
	d := b.plan.doc.At(field, format, args...)
	if d.Rule = rule; !b.plan.checks.Wants(rule) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warnings = append(b.warnings, d)
}

// step returns the options of a step of the graph: its name, its place in the build file, and
// --no-cache.
func (b *build) step(field, format string, args ...any) []llb.ConstraintsOpt {
	name := fmt.Sprintf(format, args...)
	if b.opt.Prefix != "" {
		name = "[" + b.opt.Prefix + "] " + name
	}
	opts := []llb.ConstraintsOpt{llb.WithCustomName(name)}
	if m, d := b.opt.SourceMap, b.plan.doc.At(field, ""); m != nil && d.Line > 0 {
		opts = append(opts, m.Location(d.Ranges()))
	}
	if b.opt.NoCache {
		opts = append(opts, llb.IgnoreCache)
	}
	return opts
}
