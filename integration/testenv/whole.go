// Whether a registry has all of an image.

package testenv

import (
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Whole returns an error unless the registry has the image at ref with this digest, and everything
// that belongs to it, for each of its platforms. It reads layers whose digests are not in read, and
// adds them; of the others it asks only whether the repository has them. It is not counted.
func (r *Registry) Whole(ctx context.Context, ref, digest string, read map[string]bool) error {
	parsed, err := r.reference(ref)
	if err != nil {
		return err
	}
	desc, err := remote.Get(parsed, r.remoteOptions(ctx)...)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", ref, err)
	}
	if got := desc.Digest.String(); got != digest {
		return fmt.Errorf("%s is %s, not %s", ref, got, digest)
	}
	if !desc.MediaType.IsIndex() {
		image, err := desc.Image()
		if err == nil {
			err = wholeImage(image, read)
		}
		return incomplete(ref, err)
	}
	index, err := desc.ImageIndex()
	if err != nil {
		return incomplete(ref, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return incomplete(ref, err)
	}
	for _, member := range manifest.Manifests {
		image, err := index.Image(member.Digest)
		if err == nil {
			err = wholeImage(image, read)
		}
		if err != nil {
			return incomplete(ref, err)
		}
	}
	return nil
}

func incomplete(ref string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s is incomplete: %w", ref, err)
}

// wholeImage reads everything of an image. What is read is checked against its digest on the way.
func wholeImage(image v1.Image, read map[string]bool) error {
	if _, err := image.RawConfigFile(); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		if read[digest.String()] {
			there, err := partial.Exists(layer)
			if err != nil {
				return fmt.Errorf("asking for the layer %s: %w", digest, err)
			}
			if !there {
				return fmt.Errorf("there is no layer %s", digest)
			}
			continue
		}
		content, err := layer.Compressed()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, content)
		content.Close()
		if err != nil {
			return fmt.Errorf("reading the layer %s: %w", digest, err)
		}
		read[digest.String()] = true
	}
	return nil
}
