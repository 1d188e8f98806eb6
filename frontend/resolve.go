package frontend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/util/grpcerrors"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"

	"github.com/samforge/samforge/llbgen"
)

// resolve finds an image for a platform: a named context of that name, else the
// image, or what the mirrors have for it, pinned to the digest that the lock file
// has or the tag has now.
func (b *build) resolve(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	name := reference.TagNameOnly(named).String()
	from := ref
	image, err := b.namedContext(ctx, ref, &platform)
	if image == nil && err == nil {
		from = b.plan.File.Mirrors.Image(name)
		image, err = b.lockedImage(ctx, from, &platform, pin)
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

// lockedImage is an image as the lock file has it, if it has it. What the pin says
// of the platform has to be the image that its digest leads to.
func (b *build) lockedImage(ctx context.Context, ref string, platform *ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
	if pin.Digest == "" {
		return b.pinnedImage(ctx, ref, platform)
	}
	whole, err := withDigest(ref, pin.Digest)
	if err != nil {
		return nil, err
	}
	image, err := b.pinnedImage(ctx, whole, platform)
	if err != nil {
		return nil, b.explainPin(pin.Digest, err)
	}
	member, err := withDigest(ref, pin.Manifest)
	if err != nil {
		return nil, err
	}
	_, _, config, err := b.resolveConfig(ctx, member, platform)
	if err != nil {
		return nil, b.explainPin(pin.Manifest, err)
	}
	if _, _, want, err := b.resolveConfig(ctx, whole, platform); err != nil || !bytes.Equal(config, want) {
		return nil, errors.Join(b.otherMember(pin, *platform), err)
	}
	image.Manifest = pin.Manifest
	return image, nil
}

// otherMember returns the error for a lock file whose image for a platform is not in its index.
func (b *build) otherMember(pin llbgen.Pin, platform ocispecs.Platform) error {
	return fmt.Errorf("%s has %s for %s, and %s has another image for it: run samforge lock --update",
		b.lockName, pin.Manifest, platforms.Format(platform), pin.Digest)
}

// ErrPinGone returns the error for a digest in a lock file that is not in its registry.
func ErrPinGone(lockName string, dgst digest.Digest, err error) error {
	return fmt.Errorf("%s has %s, which is not in its registry, or not any more: run samforge lock --update (%w)", lockName, dgst, err)
}

// explainPin names the lock file where what it pins is not there.
func (b *build) explainPin(dgst digest.Digest, err error) error {
	if grpcerrors.Code(err) == codes.NotFound || strings.HasSuffix(err.Error(), ": not found") {
		return ErrPinGone(b.lockName, dgst, err)
	}
	return err
}

func (b *build) resolveConfig(ctx context.Context, ref string, platform *ocispecs.Platform) (string, digest.Digest, []byte, error) {
	return b.gateway.ResolveImageConfig(ctx, ref, sourceresolver.Opt{
		LogName: "load metadata for " + ref,
		ImageOpt: &sourceresolver.ResolveImageOpt{
			Platform:    platform,
			ResolveMode: b.ImageResolveMode.String(),
		},
	})
}

func (b *build) pinnedImage(ctx context.Context, ref string, platform *ocispecs.Platform) (*llbgen.SourceImage, error) {
	// The reference that comes back is another one where a source policy says so.
	ref, dgst, data, err := b.resolveConfig(ctx, ref, platform)
	if err != nil {
		return nil, err
	}
	if len(data) > maxImageConfig {
		return nil, errors.New(configTooLarge(ref))
	}
	var config dockerspec.DockerOCIImage
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read the image config of %s: %w", ref, err)
	}
	pinned, err := withDigest(ref, dgst)
	if err != nil {
		return nil, err
	}
	return &llbgen.SourceImage{
		Digest: dgst,
		State:  llb.Image(pinned, llb.Platform(*platform), b.ImageResolveMode),
		Config: &config,
	}, nil
}

func withDigest(ref string, dgst digest.Digest) (string, error) {
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

// maxImageConfig is what registries and container engines take at most of an image's config. The
// gateway itself passes on 16 MiB.
const maxImageConfig = 4 << 20

// configTooLarge says what is wrong with an image of a larger one.
func configTooLarge(ref string) string {
	return fmt.Sprintf("the image config of %s has more than %d bytes: name another image", ref, maxImageConfig)
}

// explainResolve says in the user's terms why an image was not found. Builders tell most by codes;
// older ones, and the platforms of an image, by text.
func explainResolve(ref string, platform *ocispecs.Platform, err error) error {
	text := err.Error()
	switch code := grpcerrors.Code(err); {
	case strings.Contains(text, "no match for platform"):
		return fmt.Errorf("%s has no image for %s: name one that has, or leave the platform out: %w", ref, platforms.Format(*platform), err)
	case code == codes.NotFound, strings.HasSuffix(text, ": not found"):
		return fmt.Errorf("%s was not found in its registry: check the name and the tag: %w", ref, err)
	case code == codes.ResourceExhausted && strings.Contains(text, "larger than max"):
		return fmt.Errorf("%s: %w", configTooLarge(ref), err)
	default:
		return &ResolveError{Ref: ref, Err: err}
	}
}

// ResolveError says that the registry of an image did not say what it is.
type ResolveError struct {
	Ref string
	Err error // what the builder said
}

func (e *ResolveError) Error() string {
	return "failed to resolve reference " + e.Ref + ": " + e.Err.Error()
}

// Unwrap returns what the builder said.
func (e *ResolveError) Unwrap() error { return e.Err }
