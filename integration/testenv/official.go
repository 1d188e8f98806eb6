// Docker Official Images as Docker Hub stores them: one index for many architectures, with two
// variants of arm before arm64, and an attestation for each image.

package testenv

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// DockerPlatforms are those of docker:28.5.2-cli, in the order of its index.
func DockerPlatforms() []string { return []string{"amd64", "arm/v6", "arm/v7", "arm64/v8"} }

// OfficialIndex makes an index of these platforms in this order, each followed by its attestation.
// A platform without an image gets one whose programs run nowhere.
func OfficialIndex(platforms []string, images ...v1.Image) (v1.ImageIndex, error) {
	byPlatform := map[string]v1.Image{}
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		byPlatform[strings.TrimSuffix(config.Architecture+"/"+config.Variant, "/")] = image
	}
	var members []mutate.IndexAddendum
	for _, platform := range platforms {
		image, ok := byPlatform[platform]
		if !ok {
			var err error
			if image, err = foreignImage(platform); err != nil {
				return nil, err
			}
		}
		both, err := withAttestation(image)
		if err != nil {
			return nil, err
		}
		members = append(members, both...)
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), members...), nil
}

// foreignImage has a docker that runs nowhere.
func foreignImage(platform string) (v1.Image, error) {
	arch, variant, _ := strings.Cut(platform, "/")
	return Image(ImageOptions{Arch: arch, Variant: variant, Layers: []Layer{{Files: []File{
		{Path: "/usr/local/bin/docker", Mode: 0o755, Data: []byte("a program for " + platform + "\n")},
	}}}})
}

// withAttestation returns the index entries of an image and of its attestation:
// https://github.com/moby/buildkit/blob/v0.34.2/docs/attestations/attestation-storage.md
func withAttestation(image v1.Image) ([]mutate.IndexAddendum, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2",`+
		`"subject":[{"name":"_","digest":{%q:%q}}],"predicate":{}}`, digest.Algorithm, digest.Hex)
	attestation, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: static.NewLayer([]byte(statement), "application/vnd.in-toto+json")})
	if err != nil {
		return nil, err
	}
	unknown, err := attestation.ConfigFile()
	if err != nil {
		return nil, err
	}
	unknown = unknown.DeepCopy()
	unknown.OS, unknown.Architecture = "unknown", "unknown"
	if attestation, err = mutate.ConfigFile(attestation, unknown); err != nil {
		return nil, err
	}
	return []mutate.IndexAddendum{
		{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}},
		{Add: attestation, Descriptor: v1.Descriptor{
			Platform: unknown.Platform(),
			Annotations: map[string]string{
				"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String(),
			},
		}},
	}, nil
}
