// Package registry answers what samforge asks a registry before and after a build: is the tag there, and what does it
// point at. Credentials come from the Docker config and its helpers, as for the build itself.
//
// Every error has been through Explain. Registries on loopback and private addresses are spoken to in plain HTTP.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Digest returns the digest that ref points at; ok is false when the registry has no such tag or repository. It costs
// one HEAD request, which Docker Hub does not count as a pull.
func Digest(ctx context.Context, ref string) (digest string, ok bool, err error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return "", false, invalid(ref, err)
	}
	desc, err := remote.Head(r, options(ctx)...)
	if notFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up %s: %w", ref, Explain(err, ref))
	}
	return desc.Digest.String(), true, nil
}

// Tag gives the manifest or index at ref, a repository@digest, another tag in the same repository. It does nothing when
// the tag points there already, so that a repository with immutable tags does not refuse a re-run.
func Tag(ctx context.Context, ref, tag string) error {
	from, err := name.NewDigest(ref)
	if err != nil {
		return invalid(ref, err)
	}
	to, err := name.NewTag(from.Context().Name() + ":" + tag)
	if err != nil {
		return invalid(tag, err)
	}
	if now, err := remote.Head(to, options(ctx)...); err == nil && now.Digest.String() == from.DigestStr() {
		return nil
	}
	desc, err := remote.Get(from, options(ctx)...)
	if err == nil {
		err = remote.Tag(to, desc, options(ctx)...)
	}
	if err != nil {
		return fmt.Errorf("tag %s as %s: %w", ref, tag, Explain(err, to.Name()))
	}
	return nil
}

// Member is one platform's image of an index.
type Member struct {
	Platform string // "linux/arm64", with a variant where the index gives one
	Digest   string
}

// Members returns the images of the index that ref points at, in its order and without attestation manifests. An image
// that is no index is its own only member.
func Members(ctx context.Context, ref string) ([]Member, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return nil, invalid(ref, err)
	}
	desc, err := remote.Get(r, options(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, Explain(err, ref))
	}
	members, err := members(desc)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, Explain(err, ref))
	}
	return members, nil
}

func members(desc *remote.Descriptor) ([]Member, error) {
	if !desc.MediaType.IsIndex() {
		img, err := desc.Image()
		if err != nil {
			return nil, err
		}
		config, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		return []Member{{Platform: config.Platform().String(), Digest: desc.Digest.String()}}, nil
	}
	index, err := desc.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, m := range manifest.Manifests {
		if !isAttestation(m) {
			out = append(out, Member{Platform: m.Platform.String(), Digest: m.Digest.String()})
		}
	}
	return out, nil
}

// isAttestation follows https://github.com/moby/buildkit/blob/v0.34.2/docs/attestations/attestation-storage.md: an
// attestation manifest stands in the index under the platform unknown/unknown.
func isAttestation(m v1.Descriptor) bool {
	return m.Platform == nil || m.Platform.OS == "unknown" && m.Platform.Architecture == "unknown"
}

func options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
}

// notFound says whether the registry answered that there is no such manifest (MANIFEST_UNKNOWN) or repository
// (NAME_UNKNOWN); a HEAD has only the status.
func notFound(err error) bool {
	var e *transport.Error
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound
}

func invalid(ref string, err error) error {
	return fmt.Errorf("%q is not an image reference: %w", ref, err)
}
