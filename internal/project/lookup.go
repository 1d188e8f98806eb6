package project

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/patternmatcher/ignorefile"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// Lookup provides what targets need from outside, without a builder: images from their registries
// or named contexts, and files of the build context.
type Lookup struct {
	// Downloads fetches unpinned files to compute their checksums; nil fetches nothing.
	Downloads http.RoundTripper

	project  *Project
	registry *registry.Resolver
	sums     sync.Map // func() (digest.Digest, error) by download
}

// NewLookup returns a lookup for the project's targets that uses a resolver of images.
func (p *Project) NewLookup(resolver *registry.Resolver) *Lookup {
	return &Lookup{project: p, registry: resolver}
}

// options returns the options for one platform, on a builder of another one.
func (l *Lookup) options(platform, builder ocispecs.Platform) llbgen.Options {
	opt := llbgen.Options{
		Platform:      platform,
		BuildPlatform: builder,
		Resolve:       l.resolve,
		ReadFile:      l.readFile,
	}
	if l.Downloads != nil {
		opt.Checksum = l.checksum
	}
	return opt
}

// Image returns the layers of an image that [Target.Describe] named, for a platform. The zero
// [registry.Image] stands for an image without layers in a registry: a named context of files.
func (l *Lookup) Image(name string, dgst digest.Digest, platform ocispecs.Platform) (*registry.Image, error) {
	from, err := l.From(name, dgst)
	if err != nil {
		return nil, err
	}
	if from == "" {
		return &registry.Image{}, nil
	}
	return l.registry.Resolve(from, platform)
}

// From returns the reference by which an image is fetched, with its digest: the one in a named
// context or in the mirrors. It is empty for an image that comes from no registry.
func (l *Lookup) From(name string, dgst digest.Digest) (string, error) {
	from := l.project.Mirrors.Image(name)
	if c, ok := l.project.contextOf(name); ok {
		image, isImage := strings.CutPrefix(c.Source, ImageScheme)
		if !isImage {
			return "", nil
		}
		from = image
	}
	if dgst == "" {
		return from, nil
	}
	named, err := reference.ParseNormalizedNamed(from)
	if err != nil {
		return "", fmt.Errorf("%q is not an image reference: %w", from, err)
	}
	pinned, err := reference.WithDigest(named, dgst)
	if err != nil {
		return "", err
	}
	return pinned.String(), nil
}

// contextOf returns the named context that replaces an image.
func (p *Project) contextOf(ref string) (NamedContext, bool) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return NamedContext{}, false
	}
	name := strings.TrimSuffix(reference.FamiliarString(reference.TagNameOnly(named)), ":latest")
	i := slices.IndexFunc(p.Contexts, func(c NamedContext) bool { return c.Name == name })
	if i < 0 {
		return NamedContext{}, false
	}
	return p.Contexts[i], true
}

func (l *Lookup) resolve(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	name := reference.TagNameOnly(named).String()
	if c, ok := l.project.contextOf(ref); ok {
		return l.fromContext(ctx, name, c, platform)
	}
	found, from, err := l.pinned(name, platform, pin)
	if err != nil {
		return nil, err
	}
	return sourceImage(name, from, found.Config, digest.Digest(found.Digest), digest.Digest(found.Manifest), platform)
}

// pinned returns the image for a platform. The lock file's entry for the platform must be the image
// that its digest leads to, as in a build.
func (l *Lookup) pinned(name string, platform ocispecs.Platform, pin llbgen.Pin) (*registry.Image, string, error) {
	from, err := l.From(name, pin.Digest)
	if err != nil {
		return nil, "", err
	}
	found, err := l.registry.Resolve(from, platform)
	if err != nil || pin.Manifest == "" || digest.Digest(found.Manifest) == pin.Manifest {
		return found, from, l.explainPin(pin.Digest, err)
	}
	member, err := l.From(name, pin.Manifest)
	if err != nil {
		return nil, "", err
	}
	locked, err := l.registry.Resolve(member, platform)
	if err != nil {
		return nil, "", l.explainPin(pin.Manifest, err)
	}
	if !bytes.Equal(locked.Config, found.Config) {
		return nil, "", fmt.Errorf("%s has %s for %s, and %s has another image for it: run samforge lock --update",
			filepath.Base(l.project.File.LockPath), pin.Manifest, platforms.Format(platform), pin.Digest)
	}
	return found, from, nil
}

// fromContext returns an image from a named context: another image, one in an OCI layout, or plain
// files. Nothing is known about plain files before the builder has them.
func (l *Lookup) fromContext(ctx context.Context, name string, c NamedContext, platform ocispecs.Platform) (*llbgen.SourceImage, error) {
	if image, ok := strings.CutPrefix(c.Source, ImageScheme); ok {
		found, err := l.registry.Resolve(image, platform)
		if err != nil {
			return nil, err
		}
		return sourceImage(name, image, found.Config, digest.Digest(found.Digest), "", platform)
	}
	if value, ok := strings.CutPrefix(c.Source, LayoutScheme); ok {
		layout, err := ParseLayout(value)
		if err != nil {
			return nil, fmt.Errorf("--build-context %s: %w", c.Name, err)
		}
		config, err := layout.Config(ctx, platform)
		if err != nil {
			return nil, fmt.Errorf("--build-context %s: %w", c.Name, err)
		}
		return sourceImage(name, name, config, layout.Digest, "", platform)
	}
	return &llbgen.SourceImage{Name: name, State: llb.Local(c.Name)}, nil
}

func sourceImage(name, from string, data []byte, dgst, manifest digest.Digest, platform ocispecs.Platform) (*llbgen.SourceImage, error) {
	var config dockerspec.DockerOCIImage
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read the image config of %s: %w", from, err)
	}
	return &llbgen.SourceImage{
		Name:     name,
		Digest:   dgst,
		Manifest: manifest,
		State:    llb.Image(from, llb.Platform(platform)),
		Config:   &config,
	}, nil
}

// readFile reads a file of the build context, as a build does.
func (l *Lookup) readFile(_ context.Context, name string) ([]byte, error) {
	if l.project.Context.Folder == "" {
		return nil, fmt.Errorf("the build context is %s, and only a folder can be read without a builder", l.project.Context.Address)
	}
	ignore := l.project.File.IgnoreData
	if ignore == nil {
		var err error
		if ignore, err = readOptional(filepath.Join(l.project.Context.Folder, ".dockerignore")); err != nil {
			return nil, fmt.Errorf("read the ignore file of the build context: %w", err)
		}
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(ignore))
	if err != nil {
		return nil, fmt.Errorf("read the ignore file of the build context: %w", err)
	}
	folder, err := userfile.NewFolder(l.project.Context.Folder, patterns)
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	return frontend.ReadContextFile(folder, name)
}

// explainPin names the lock file where what it pins is not there.
func (l *Lookup) explainPin(dgst digest.Digest, err error) error {
	if err == nil || dgst == "" || !registry.Absent(err) {
		return err
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // without advice about the name
	}
	return frontend.ErrPinGone(filepath.Base(l.project.File.LockPath), dgst, err)
}
