package frontend

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// applyLock makes a request to the Dockerfile frontend take the images that the lock file beside the
// template has, by named contexts. It warns about images that the lock file does not have; a locked
// build refuses them.
func (b *build) applyLock(ctx context.Context, f *samtemplate.Function, request *client.SolveRequest, dockerfile []byte) error {
	locked, err := llbgen.Locked(b.BuildArgs)
	if err != nil {
		return fmt.Errorf("--build-arg %s: %w", llbgen.LockedArg, err)
	}
	lockfile, err := b.readLockfile(ctx)
	if err != nil {
		return err
	}
	if lockfile == nil {
		if locked {
			return llbgen.ErrNoLockfile(b.lockName)
		}
		return nil
	}
	reached, err := b.reached(ctx, request.FrontendOpt, lockfile, dockerfile)
	if err != nil {
		return err
	}
	for _, sentence := range reached.Unlocked {
		if locked {
			return f.Diagnostic(f.Dockerfile.At, "--locked, and %s", sentence)
		}
		b.send(ctx, []*source.Diagnostic{f.Diagnostic(f.Dockerfile.At, "%s", sentence)})
	}
	for _, image := range reached.Images {
		if err := b.checkPin(ctx, image); err != nil {
			return f.Diagnostic(f.Dockerfile.At, "%v", err) // the gateway would pass on only the builder's error
		}
		if name, source := image.Context(); name != "" {
			request.FrontendOpt["context:"+name] = source
		}
		if image.Frontend && image.Pin.Digest != "" {
			if err := pinFrontend(request, image, dockerfile); err != nil {
				return err
			}
		}
	}
	return nil
}

// reached returns the images that the Dockerfile reaches with the options of the Dockerfile frontend.
func (b *build) reached(ctx context.Context, opts map[string]string, lockfile *llbgen.Lockfile, dockerfile []byte) (inputs.Reached, error) {
	platform, err := platforms.Parse(opts["platform"])
	if err != nil {
		return inputs.Reached{}, err
	}
	build := inputs.Build{
		Dockerfile: opts["filename"], Target: opts["target"], Platform: platform, Builder: b.BuildPlatforms[0],
		Args: map[string]string{}, Contexts: map[string]string{}, Lock: lockfile,
	}
	for name, value := range opts {
		if arg, ok := strings.CutPrefix(name, "build-arg:"); ok {
			build.Args[arg] = value
		}
		if named, ok := strings.CutPrefix(name, "context:"); ok {
			build.Contexts[named] = value
		}
	}
	finder := &inputs.Finder{Resolve: func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
		_, dgst, config, err := b.resolveConfig(ctx, ref, &platform)
		return dgst, config, err
	}}
	return finder.Images(ctx, build, dockerfile)
}

// checkPin returns an error unless the image of the lock file for the platform is the one that its
// digest leads to: what a function is made from is told by the one, and it is built from the other.
func (b *build) checkPin(ctx context.Context, image inputs.Image) error {
	if image.Pin.Manifest == "" || image.Pin.Manifest == image.Pin.Digest || image.Frontend {
		return nil
	}
	var configs [2][]byte
	for n, dgst := range []digest.Digest{image.Pin.Digest, image.Pin.Manifest} {
		ref, err := withDigest(image.Name, dgst)
		if err != nil {
			return err
		}
		if _, _, configs[n], err = b.resolveConfig(ctx, ref, &image.Platform); err != nil {
			return b.explainPin(dgst, err)
		}
	}
	if !bytes.Equal(configs[0], configs[1]) {
		return b.otherMember(image.Pin, image.Platform)
	}
	return nil
}

// pinFrontend makes a request run the frontend that the Dockerfile names with the digest that the lock
// file has: what the Dockerfile frontend would do for a `# syntax=` line with that digest.
func pinFrontend(request *client.SolveRequest, image inputs.Image, dockerfile []byte) error {
	written, cmdline, _, ok := parser.DetectSyntax(dockerfile)
	pinned, err := withDigest(image.Name, image.Pin.Digest)
	if err != nil || !ok {
		return err
	}
	request.Frontend = "gateway.v0"
	request.FrontendOpt["source"] = pinned
	request.FrontendOpt["cmdline"] = pinned + strings.TrimPrefix(cmdline, written)
	return nil
}
