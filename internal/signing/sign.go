package signing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/samforge/samforge/internal/registry"
)

const (
	payloadType = types.MediaType("application/vnd.dev.cosign.simplesigning.v1+json")
	// signatureKey is the annotation of a layer that has the signature of its content.
	signatureKey = "dev.cosignproject.cosign/signature"
)

// Image is what is signed.
type Image struct {
	// Ref is REPOSITORY@DIGEST. An index is signed by its own digest.
	Ref string
	// Identity is what the signer calls the image; if it is empty, its repository.
	Identity string
	// Annotations are signed with it.
	Annotations map[string]string
}

// Sign adds a signature to an image in a registry, beside those that it has. The signatures of an
// image are an image of their own, whose reference is returned. If the key has signed the same
// before, nothing is pushed: the tag may be one that must not move.
func Sign(ctx context.Context, client *registry.Client, key *Key, image Image) (ref string, err error) {
	digest, err := name.NewDigest(image.Ref)
	if err != nil {
		return "", err
	}
	ref = digest.Context().Name() + ":" + strings.Replace(digest.DigestStr(), ":", "-", 1) + ".sig"
	content, err := image.payload(digest)
	if err != nil {
		return ref, err
	}
	signatures, there, err := client.Image(ctx, ref)
	if err != nil {
		return ref, err
	}
	if !there {
		signatures = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	} else if signed, err := key.signed(signatures, content); err != nil || signed {
		return ref, err
	}
	signature, err := key.SignMessage(bytes.NewReader(content))
	if err != nil {
		return ref, fmt.Errorf("sign %s: %w", image.Ref, err)
	}
	signatures, err = mutate.Append(signatures, mutate.Addendum{
		Layer:       static.NewLayer(content, payloadType),
		Annotations: map[string]string{signatureKey: base64.StdEncoding.EncodeToString(signature)},
	})
	if err != nil {
		return ref, err
	}
	_, err = client.Push(ctx, signatures, ref)
	return ref, err
}

// payload returns the text that is signed.
func (i Image) payload(digest name.Digest) ([]byte, error) {
	annotations := map[string]any{}
	for key, value := range i.Annotations {
		annotations[key] = value
	}
	return json.Marshal(payload.Cosign{Image: digest, ClaimedIdentity: i.Identity, Annotations: annotations})
}

// signed reports whether one of the signatures is the key's, of this content.
func (k *Key) signed(signatures v1.Image, content []byte) (bool, error) {
	manifest, err := signatures.Manifest()
	if err != nil {
		return false, err
	}
	want, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return false, err
	}
	for _, layer := range manifest.Layers {
		signature, err := base64.StdEncoding.DecodeString(layer.Annotations[signatureKey])
		if err != nil || layer.Digest != want {
			continue
		}
		if k.VerifySignature(bytes.NewReader(signature), bytes.NewReader(content)) == nil {
			return true, nil
		}
	}
	return false, nil
}
