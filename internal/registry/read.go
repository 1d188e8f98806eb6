package registry

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Documents are what describes an image in a registry, byte for byte.
type Documents struct {
	// MediaType is the media type of Manifest, as the registry names it.
	MediaType string
	// Manifest is the manifest or the index that the reference points at.
	Manifest []byte
	// Config is the image config; nil if Manifest is not the manifest of an image.
	Config []byte
}

// Read returns the documents that ref points at. If that is an index, it chooses no image in it. No
// layer is pulled. The error of a missing image is one that [Absent] knows.
func (c *Client) Read(ctx context.Context, ref string) (*Documents, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, invalid(ref, err)
	}
	desc, err := c.get(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of %s: %w", ref, explain(err, ref))
	}
	read := &Documents{MediaType: string(desc.MediaType), Manifest: desc.Manifest}
	if !desc.MediaType.IsImage() {
		return read, nil
	}
	image, err := desc.Image()
	if err == nil {
		read.Config, err = image.RawConfigFile()
	}
	if err != nil {
		return nil, fmt.Errorf("read the config of %s: %w", ref, explain(err, ref))
	}
	return read, nil
}

// Members returns the images of the index at ref, as REPOSITORY@DIGEST; none if ref is an image.
func (c *Client) Members(ctx context.Context, ref string) (members []string, err error) {
	read, err := c.Read(ctx, ref)
	if err != nil || !types.MediaType(read.MediaType).IsIndex() {
		return nil, err
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(read.Manifest))
	if err != nil {
		return nil, fmt.Errorf("read the index %s: %w", ref, err)
	}
	for _, member := range index.Manifests {
		members = append(members, Repository(ref)+"@"+member.Digest.String())
	}
	return members, nil
}

// IsReference reports whether a text is an image reference, and more than a bare name: it has a
// tag, a digest or a registry. A path such as images/python is no reference.
func IsReference(text string) bool {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return false
	}
	first, _, more := strings.Cut(text, "/")
	return !reference.IsNameOnly(named) || more && (first == "localhost" || strings.ContainsAny(first, ".:"))
}

// Image returns the image at ref, which is read when it is used. ok is false if the registry has no
// such tag or repository.
func (c *Client) Image(ctx context.Context, ref string) (image v1.Image, ok bool, err error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, false, invalid(ref, err)
	}
	desc, err := c.get(ctx, parsed)
	if notFound(err) {
		return nil, false, nil
	}
	if err == nil {
		image, err = desc.Image()
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the image %s: %w", ref, explain(err, ref))
	}
	return image, true, nil
}

// Tags returns the tags of a repository.
func (c *Client) Tags(ctx context.Context, repository string) ([]string, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, invalid(repository, err)
	}
	puller, err := c.puller(repo.Registry)
	if err != nil {
		return nil, err
	}
	tags, err := puller.List(ctx, repo)
	if err != nil {
		return nil, fmt.Errorf("list the tags of %s: %w", repository, explain(err, repository))
	}
	return tags, nil
}
