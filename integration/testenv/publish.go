// Puts images into a registry without being counted.

package testenv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Push puts one image, or an index of several platforms' images, under ref and returns its digest.
// ref is a reference to the registry or a public name (see [Registry.Ref]). Push needs no
// credentials, and is not counted or intercepted. The index of a Docker Official Image is like the
// one on Docker Hub, see [OfficialIndex].
func (r *Registry) Push(ref string, images ...v1.Image) (digest string, err error) {
	if len(images) == 0 {
		return "", fmt.Errorf("pushing %s: %w", ref, errors.New("no image was given"))
	}
	if len(images) == 1 {
		return r.push(ref, images[0], images)
	}
	own, err := r.Ref(ref)
	if err != nil {
		return "", err
	}
	var index v1.ImageIndex
	if strings.HasPrefix(own, r.Addr+"/"+publicPrefixes["index.docker.io"]+"/library/") {
		index, err = OfficialIndex(DockerPlatforms(), images...)
	} else {
		index, err = indexOf(images)
	}
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	return r.PushIndex(ref, index)
}

// PushIndex does the same with an existing index of images.
func (r *Registry) PushIndex(ref string, index v1.ImageIndex) (digest string, err error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	var images []v1.Image
	for _, member := range manifest.Manifests {
		image, err := index.Image(member.Digest)
		if err != nil {
			return "", fmt.Errorf("pushing %s: %w", ref, err)
		}
		images = append(images, image)
	}
	return r.push(ref, index, images)
}

// push stores the images, and the manifest pushed under ref: one of them, or an index of them.
func (r *Registry) push(ref string, pushed manifest, images []v1.Image) (digest string, err error) {
	to, err := r.reference(ref)
	if err != nil {
		return "", err
	}
	storage, repository := r.storage(), to.Context().RepositoryStr()
	for _, image := range images {
		manifest, err := image.RawManifest()
		if err == nil {
			r.counter.learn(manifest)
			err = storage.addImage(repository, image)
		}
		if err != nil {
			return "", fmt.Errorf("pushing %s: %w", ref, err)
		}
	}
	sum, err := pushed.Digest()
	if err == nil {
		err = storage.addManifest(repository, pushed)
	}
	if err == nil {
		err = storage.tag(to, sum)
	}
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	return sum.String(), nil
}

// indexOf makes an index of the media type family that its members have.
func indexOf(images []v1.Image) (v1.ImageIndex, error) {
	mediaType := types.OCIImageIndex
	var members []mutate.IndexAddendum
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		manifest, err := image.Manifest()
		if err != nil {
			return nil, err
		}
		if manifest.MediaType == types.DockerManifestSchema2 {
			mediaType = types.DockerManifestList
		}
		members = append(members, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, mediaType), members...), nil
}

// Set has images by reference. The images of one reference are for different platforms.
type Set map[string][]v1.Image

// PublishAll pushes every image of the set; see [Registry.Push].
func (r *Registry) PublishAll(set Set) error {
	for _, ref := range slices.Sorted(maps.Keys(set)) {
		if _, err := r.Push(ref, set[ref]...); err != nil {
			return err
		}
	}
	return nil
}

// The public names of the images that [StandIns] makes.
const (
	Node22Base       = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138"
	Node20Base       = "public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712"
	Python312Base    = "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415"
	Python311Base    = "public.ecr.aws/sam/build-python3.11:1.143.0-20250822194415"
	Java21Base       = "public.ecr.aws/sam/build-java21:1.143.0-20250822194412"
	ProvidedBase     = "public.ecr.aws/sam/build-provided.al2023:1.143.0-20250822194409"
	SAMPlugin        = "docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image"
	ServerlessPlugin = "docker.io/harness/serverless-plugin:1.1.0-beta-base-image"
	DockerCLIImage   = "docker.io/library/docker:28.5.2-cli"
)

// StandInOptions says how large the images of [StandIns] are.
type StandInOptions struct {
	BaseSize   int64 // compressed bytes of each SAM image; default 1 MiB
	PluginSize int   // bytes of the plugin's binary; not padded by default
	DockerSize int   // bytes of the docker client; not padded by default
}

// StandIns makes the images that the examples name, for amd64 and arm64. Like the real ones, SAM
// images exist as an index under the bare tag and once per architecture under the tag with -x86_64
// or -arm64.
func StandIns(ctx context.Context, options StandInOptions) (Set, error) {
	set := Set{}
	bases := map[string]SAMBaseOptions{
		Node22Base:    {Runtime: "nodejs22.x", SAMVersion: "1.144.0"},
		Node20Base:    {Runtime: "nodejs20.x", SAMVersion: "1.142.1"},
		Python312Base: {Runtime: "python3.12", SAMVersion: "1.143.0"},
		Python311Base: {Runtime: "python3.11", SAMVersion: "1.143.0"},
		Java21Base:    {Runtime: "java21", SAMVersion: "1.143.0"},
		ProvidedBase:  {Runtime: "provided.al2023", SAMVersion: "1.143.0"},
	}
	suffixes := map[string]string{"amd64": "-x86_64", "arm64": "-arm64"}
	for _, arch := range []string{"amd64", "arm64"} {
		for ref, base := range bases {
			base.Arch, base.Size, base.Docker = arch, options.BaseSize, true
			image, err := SAMBase(ctx, base)
			if err != nil {
				return nil, err
			}
			set[ref] = append(set[ref], image)
			set[ref+suffixes[arch]] = []v1.Image{image}
		}
		for kind, ref := range map[string]string{"sam": SAMPlugin, "serverless": ServerlessPlugin} {
			version := map[string]string{"sam": "1.1.2-beta", "serverless": "1.1.0-beta"}[kind]
			image, err := PluginImage(ctx, PluginOptions{Kind: kind, Version: version, Arch: arch, BinarySize: options.PluginSize, Docker: true})
			if err != nil {
				return nil, err
			}
			set[ref] = append(set[ref], image)
		}
		image, err := DockerCLI(ctx, DockerCLIOptions{Version: "28.5.2", Arch: arch, Size: options.DockerSize})
		if err != nil {
			return nil, err
		}
		set[DockerCLIImage] = append(set[DockerCLIImage], image)
	}
	return set, nil
}
