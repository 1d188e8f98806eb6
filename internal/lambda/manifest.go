package lambda

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's media types: https://distribution.github.io/distribution/spec/manifest-v2-2/
const (
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
)

// document is a manifest or an index.
type document struct {
	MediaType string                `json:"mediaType"`
	Config    ocispecs.Descriptor   `json:"config"`
	Layers    []ocispecs.Descriptor `json:"layers"`
	Manifests []ocispecs.Descriptor `json:"manifests"`
}

// parse returns the document that an image's manifest is, with its media type.
func parse(image Image) (document, error) {
	var d document
	if err := json.Unmarshal(image.Manifest, &d); err != nil {
		return d, err
	}
	switch {
	case image.MediaType != "":
		d.MediaType = image.MediaType
	case d.MediaType != "":
	case d.Manifests != nil:
		d.MediaType = ocispecs.MediaTypeImageIndex // in OCI documents mediaType is optional
	default:
		d.MediaType = ocispecs.MediaTypeImageManifest
	}
	return d, nil
}

// atLeast returns the sum of the sizes of the layers as they are stored. Uncompressed they are larger.
func (d document) atLeast() (size int64) {
	const enough = 1 << 50 // a manifest may have any numbers, whose sum is none
	for _, layer := range d.Layers {
		size = min(size+min(max(layer.Size, 0), enough), enough)
	}
	return size
}

func (d document) isIndex() bool {
	return d.MediaType == ocispecs.MediaTypeImageIndex || d.MediaType == dockerIndex
}

// checkManifest returns the manifest if it is one that Lambda takes, else nil.
func (found *findings) checkManifest(image Image, f Function) *document {
	d, err := parse(image)
	switch {
	case err != nil:
		found.add(RuleManifest, Error, "the manifest is not valid JSON (%v): push the image again", err)
	case d.isIndex():
		found.add(RuleManifest, Error, "%s", indexSentence(d, f))
	case d.MediaType != ocispecs.MediaTypeImageManifest && d.MediaType != dockerManifest:
		found.add(RuleManifest, Error,
			"the manifest has the media type %.100q, and Lambda takes Docker's image manifest version 2, schema 2, and that of the OCI: build and push the image again, for example with docker buildx build",
			d.MediaType)
	case d.Config.MediaType != ocispecs.MediaTypeImageConfig && d.Config.MediaType != dockerConfig:
		found.add(RuleManifest, Error,
			"the config has the media type %.100q, so this is another artifact and not an image: name the image itself", d.Config.MediaType)
	default:
		return &d
	}
	return nil
}

// indexSentence says why a reference points at an index, and how to get an image. Lambda refuses
// each index: "The image manifest, config or layer media type for the source image … is not
// supported" (https://github.com/aws/aws-lambda-roadmap/issues/82).
func indexSentence(index document, f Function) string {
	images := index.images()
	attested := len(images) < len(index.Manifests)
	what, flags := "this is an index", ""
	switch {
	case len(images) == 0:
		what = "this is an index without an image"
	case len(images) > 1:
		what = fmt.Sprintf("this is an index of %d images (%s)", len(images), platformsOf(images))
		flags = "--platform " + wanted(f)
	case attested:
		what = "this is an index, because the build added attestations (provenance or an SBOM), which are stored beside the image"
	}
	if attested || flags == "" {
		flags = strings.TrimSpace(flags + " --provenance=false --sbom=false")
	}
	sentence := what + ", and Lambda takes one image: build it with " + flags
	if digest := index.member(f); digest != "" {
		sentence += ", or name the image in the index by its digest, " + digest
	}
	return sentence
}

// attestationOf is the annotation of a member that is not an image but attests one:
// https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
const attestationOf = "vnd.docker.reference.type"

// images returns the members of an index without the attestations.
func (d document) images() []ocispecs.Descriptor {
	return slices.DeleteFunc(slices.Clone(d.Manifests), func(m ocispecs.Descriptor) bool {
		return m.Annotations[attestationOf] != "" || m.Platform != nil && m.Platform.OS == "unknown"
	})
}

// member returns the digest of the image in an index that is for the function, if there is exactly
// one. It returns "" for anything that is not such an index.
func (d document) member(f Function) string {
	if !d.isIndex() {
		return ""
	}
	images := d.images()
	if f.Architecture != "" && len(images) > 1 {
		images = slices.DeleteFunc(images, func(m ocispecs.Descriptor) bool {
			return m.Platform == nil || m.Platform.OS+"/"+m.Platform.Architecture != platformOf(f.Architecture)
		})
	}
	if len(images) != 1 || images[0].Digest.Validate() != nil {
		return ""
	}
	return images[0].Digest.String()
}

// platformsOf lists the platforms of the members of an index, at most eight.
func platformsOf(images []ocispecs.Descriptor) string {
	var names []string
	for _, m := range images {
		if len(names) == 8 {
			names = append(names, "and others")
			break
		}
		if m.Platform != nil {
			names = append(names, strings.Trim(fmt.Sprintf("%.40q", platforms.Format(*m.Platform)), `"`))
		}
	}
	return cmp.Or(strings.Join(names, ", "), "without platforms")
}

// checkLayers judges each layer by its media type. AWS does not say which compressions it takes. It
// refuses layers without one with UnsupportedImageLayerDetected
// (https://github.com/bazel-contrib/rules_oci/issues/777), and nothing shows that it takes zstd. An
// eStargz layer is a gzip layer with more in it.
func (found *findings) checkLayers(layers []ocispecs.Descriptor) {
	numbers := map[string][]int{} // of the layers with a media type, from 1
	var order []string
	for n, layer := range layers {
		if layer.MediaType == ocispecs.MediaTypeImageLayerGzip || layer.MediaType == dockerLayer+".gzip" {
			continue
		}
		if numbers[layer.MediaType] == nil {
			order = append(order, layer.MediaType)
		}
		numbers[layer.MediaType] = append(numbers[layer.MediaType], n+1)
	}
	for _, mediaType := range order {
		which := fmt.Sprintf("layer %d of %d is", numbers[mediaType][0], len(layers))
		if n := len(numbers[mediaType]); n > 1 {
			which = fmt.Sprintf("%d of %d layers are", n, len(layers))
		}
		// force-compression is for the layers of the base image.
		found.add(RuleLayers, Error, "%s %s, and only gzip is known to work in Lambda: build the image with --output type=image,push=true,compression=gzip,force-compression=true",
			which, compression(mediaType))
	}
}

// compression completes "the layer is".
func compression(mediaType string) string {
	switch mediaType {
	case ocispecs.MediaTypeImageLayer, dockerLayer:
		return "not compressed"
	case ocispecs.MediaTypeImageLayerZstd, dockerLayer + ".zstd":
		return "compressed with zstd"
	}
	return fmt.Sprintf("of the media type %.100q", mediaType)
}
