package frontend

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerui"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// resolve finds an image for a platform: a named context of that name, else the
// image, or what the mirrors have for it, pinned to the digest that the tag has
// now.
func (b *build) resolve(ctx context.Context, ref string, platform ocispecs.Platform) (*llbgen.SourceImage, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	name := reference.TagNameOnly(named).String()
	from := ref
	image, err := b.namedContext(ctx, ref, &platform)
	if image == nil && err == nil {
		from = b.plan.File.Mirrors.Image(name)
		image, err = b.pinnedImage(ctx, from, &platform)
	}
	if err != nil {
		return nil, explainResolve(from, &platform, err)
	}
	image.Name = name
	return image, nil
}

func (b *build) namedContext(ctx context.Context, ref string, platform *ocispecs.Platform) (*llbgen.SourceImage, error) {
	var image llbgen.SourceImage
	named, err := b.NamedContext(ref, dockerui.ContextOpt{
		Platform:      platform,
		ResolveMode:   b.ImageResolveMode.String(),
		CaptureDigest: &image.Digest,
	})
	if err != nil || named == nil {
		return nil, err
	}
	state, config, err := named.Load(ctx)
	if err != nil {
		return nil, err
	}
	image.State, image.Config = *state, config
	return &image, nil
}

func (b *build) pinnedImage(ctx context.Context, ref string, platform *ocispecs.Platform) (*llbgen.SourceImage, error) {
	// The reference that comes back is another one where a source policy says so.
	ref, dgst, data, err := b.gateway.ResolveImageConfig(ctx, ref, sourceresolver.Opt{
		LogName: "load metadata for " + ref,
		ImageOpt: &sourceresolver.ResolveImageOpt{
			Platform:    platform,
			ResolveMode: b.ImageResolveMode.String(),
		},
	})
	if err != nil {
		return nil, err
	}
	var config dockerspec.DockerOCIImage
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read the image config of %s: %w", ref, err)
	}
	pinned, err := pin(ref, dgst)
	if err != nil {
		return nil, err
	}
	return &llbgen.SourceImage{
		Digest: dgst,
		State:  llb.Image(pinned, llb.Platform(*platform), b.ImageResolveMode),
		Config: &config,
	}, nil
}

func pin(ref string, dgst digest.Digest) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", err
	}
	pinned, err := reference.WithDigest(named, dgst)
	if err != nil {
		return "", err
	}
	return pinned.String(), nil
}

// explainResolve says in the user's terms why an image was not found.
func explainResolve(ref string, platform *ocispecs.Platform, err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "no match for platform"):
		return fmt.Errorf("%s has no image for %s: name one that has, or leave the platform out: %w", ref, platforms.Format(*platform), err)
	case strings.HasSuffix(text, ": not found"):
		return fmt.Errorf("%s was not found in its registry: check the name and the tag: %w", ref, err)
	default:
		return fmt.Errorf("failed to resolve reference %s: %w", ref, err)
	}
}
