package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// functionImage is the image of a function.
type functionImage struct {
	of      *samtemplate.Function
	read    frontend.Template
	project *Project
}

func (i functionImage) explain(err error) string {
	return explainNotCopied(err, i.of.ContextDir)
}

func (i functionImage) diagnose(message string) *source.Diagnostic {
	return i.of.Diagnostic(i.of.At, "%s", message)
}

func (i functionImage) build(f frontend.Frontend) gateway.BuildFunc {
	f.Template = &i.read
	return f.Build
}

// describe returns the images that the function's Dockerfile reaches, each for every platform that
// functions have. They are all that is known of a Dockerfile's image: it has no layers and no
// configuration.
func (i functionImage) describe(ctx context.Context, opt llbgen.Options) (*llbgen.Image, error) {
	if i.project.Context.Address != "" {
		return nil, errors.New("the Dockerfiles are read on this machine, and the build context is not on it: name a folder")
	}
	build, err := i.project.buildOf(i.of, Settings{})
	if err != nil {
		return nil, err
	}
	build.Builder = opt.BuildPlatform
	data, err := build.Read()
	if err != nil {
		return nil, err
	}
	finder := &inputs.Finder{Resolve: func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
		image, err := opt.Resolve(ctx, ref, platform, llbgen.Pin{})
		if err != nil {
			return "", nil, err
		}
		config, err := json.Marshal(image.Config)
		return image.Manifest, config, err
	}}
	reached, err := finder.Images(ctx, build, data)
	if err != nil {
		return nil, err
	}
	described := &llbgen.Image{}
	for _, image := range reached.Images {
		if image.Fixed() || image.Given {
			continue
		}
		pins, err := everyPlatform(ctx, image, opt.Resolve)
		if err != nil {
			return nil, err
		}
		described.Inputs = append(described.Inputs, pins...)
	}
	return described, nil
}

// resolver is that of [llbgen.Options].
type resolver = func(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error)

// everyPlatform returns an image for its platform, and for others that functions have if it exists
// for them. The configuration of an image with ONBUILD instructions matters to whoever finds out what
// a function is made from: such an image has no digests of platforms, so that it is looked up.
func everyPlatform(ctx context.Context, image inputs.Image, resolve resolver) ([]llbgen.Input, error) {
	if err := image.Lockable(); err != nil {
		return nil, err
	}
	var pins []llbgen.Input
	triggers := false
	for _, platform := range append([]ocispecs.Platform{image.Platform}, functionPlatforms()...) {
		found, err := resolve(ctx, image.Name, platform, llbgen.Pin{})
		if err != nil && len(pins) > 0 && registry.Absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		triggers = triggers || found.Config != nil && len(found.Config.Config.OnBuild) > 0
		pins = append(pins, llbgen.Input{
			Kind: llbgen.InputImage, Name: image.Name, Digest: found.Digest, Platform: platform, Manifest: found.Manifest,
		})
	}
	for n := range pins {
		if triggers {
			pins[n].Manifest = ""
		}
	}
	return pins, nil
}

// functionPlatforms are the platforms that Lambda has.
func functionPlatforms() []ocispecs.Platform {
	return []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
}

func (a *application) combinations(p *Project, asked []ocispecs.Platform) ([]Combination, error) {
	targets, err := a.place(p, asked, ocispecs.Platform{})
	if err != nil {
		return nil, err
	}
	var found []Combination
	for _, t := range targets {
		for n, builder := range functionPlatforms() {
			found = append(found, Combination{Target: t, Platform: t.Platforms[0], Builder: builder, Optional: n > 0})
		}
	}
	return found, nil
}

// loadLock reads the lock file beside the template.
func (a *application) loadLock(p *Project) (err error) {
	if a.lock, err = p.File.parseLock(); err != nil {
		return err
	}
	if a.locked, err = llbgen.Locked(p.Args); err != nil {
		return fmt.Errorf("--build-arg %s: %w", llbgen.LockedArg, err)
	}
	if a.locked && a.lock == nil {
		return fmt.Errorf("--locked, and there is no %s: make it with samforge lock, and commit it", llbgen.LockFilename(p.File.Name))
	}
	return nil
}

// checkLocked refuses inputs that a lock file does not pin, if nothing else may be built.
func (a *application) checkLocked(in *inputs.Inputs) error {
	if !a.locked || len(in.Unlocked) == 0 {
		return nil
	}
	return fmt.Errorf("--locked, and %s", in.Unlocked[0])
}
