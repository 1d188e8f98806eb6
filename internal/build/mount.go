package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// baseLayers gets the layers of a target's base image into the repositories that the target is
// pushed to, in the cases that BuildKit does not handle well.
type baseLayers struct {
	client       *registry.Client
	project      *project.Project
	warn         func(message string)
	repositories []string
	pulled       bool // some target copies files from an image

	mu    sync.Mutex
	bases []baseImage
}

// baseImage is the base for one platform.
type baseImage struct {
	ref      string // with its digest
	platform ocispecs.Platform
}

func (r *request) newBaseLayers(t project.Target, all []project.Target, exports []bkclient.ExportEntry) *baseLayers {
	return &baseLayers{
		client:       r.opt.Registries,
		project:      r.project,
		warn:         r.opt.warn(t),
		repositories: pushedTo(exports),
		pulled:       slices.ContainsFunc(all, func(other project.Target) bool { return len(other.Pulls) > 0 }),
	}
}

// resolved records the base image and asks the registry to mount its layers, so that the builder
// does not upload them. BuildKit mounts layers itself if it has not pulled them. It would upload
// those that it has pulled for any target, and the base image of one target often shares layers
// with another image that is pulled: they have the same operating system. If the registry does not
// mount, BuildKit uploads the bytes.
func (b *baseLayers) resolved(ctx context.Context, platform ocispecs.Platform, image *llbgen.Image) {
	if image.Base.Digest == "" {
		return
	}
	base := baseImage{b.project.Mirrors.Image(image.Base.Name) + "@" + image.Base.Digest.String(), platform}
	b.mu.Lock()
	b.bases = append(b.bases, base)
	b.mu.Unlock()
	if !b.pulled {
		return
	}
	for _, to := range b.mountTargets(base) {
		_ = b.client.Mount(ctx, base.ref, platform, to)
	}
}

// mountTargets returns the repositories that the base's layers can be mounted in, other than the
// base's own.
func (b *baseLayers) mountTargets(base baseImage) []string {
	var targets []string
	for _, to := range b.repositories {
		if registry.Same(base.ref, to) && registry.Repository(base.ref) != to {
			targets = append(targets, to)
		}
	}
	return targets
}

// refused matches a push that a registry refused. BuildKit's error no longer says that the request
// was one to mount a layer.
var refused = regexp.MustCompile(`(?i)failed to push .*(\bdenied\b|\bunknown\b|bad request|invalid|unsupported|\b40[0345]\b)`)

// noRepository matches a push to a repository that does not exist, which does not accept layers
// either.
var noRepository = regexp.MustCompile(`(?i)name_?unknown|name unknown|repository name not known|repository with name .* does not exist`)

// unreached matches a push to a registry that did not answer at all, whose address may look like a
// refusal.
var unreached = regexp.MustCompile(`dial tcp|connection refused|no such host`)

// uploadUnmounted uploads the layers of an image after a registry refused its push, in case the
// registry does not mount layers from another repository: the layers of the base, and those that
// the builder pushed elsewhere before. BuildKit gives up at such a refusal. When it tries again, it
// finds the layers in place. The result says whether any layer had to be uploaded.
func (b *baseLayers) uploadUnmounted(ctx context.Context, failed builder.Result) bool {
	if text := failed.Err.Error(); !refused.MatchString(text) || noRepository.MatchString(text) || unreached.MatchString(text) {
		return false
	}
	layers, err := b.layers(ctx, failed)
	uploaded := 0
	for _, to := range b.repositories {
		if err != nil {
			break
		}
		var n int
		n, err = b.client.Upload(ctx, layers, to)
		uploaded += n
	}
	if err != nil && b.warn != nil && !registry.Denied(err) {
		b.warn("the registry may have refused to mount layers, and samforge could not upload them: " + err.Error())
	}
	if uploaded > 0 && b.warn != nil {
		b.warn(fmt.Sprintf("the registry refused the push, as one does that does not mount layers from other repositories; samforge uploaded the missing layers (%d) and pushes again", uploaded))
	}
	return uploaded > 0
}

// layers returns the layers and the config of an image that was not pushed. The builder has all of
// them except layers of a base that it has not pulled.
func (b *baseLayers) layers(ctx context.Context, failed builder.Result) ([]registry.Layer, error) {
	found, err := failed.Blobs(ctx)
	if err != nil {
		return nil, err
	}
	var layers []registry.Layer
	for _, descriptor := range found {
		layer := registry.Layer{Descriptor: descriptor}
		reader, err := failed.Builder.Blob(ctx, descriptor)
		switch {
		case err == nil:
			layer.Open = func() (io.ReadCloser, error) { return failed.Builder.Blob(ctx, descriptor) }
			err = reader.Close()
		case errors.Is(err, builder.ErrNotKept):
			layer.From, err = b.baseRepository()
		}
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// baseRepository returns the repository of the base.
func (b *baseLayers) baseRepository() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bases) == 0 {
		return "", errors.New("the base image is in no registry")
	}
	return registry.Repository(b.bases[0].ref), nil
}

// pushedTo returns the repositories that the exports push to, without repetitions.
func pushedTo(exports []bkclient.ExportEntry) (repositories []string) {
	for _, e := range exports {
		if e.Attrs["push"] != "true" {
			continue
		}
		for ref := range strings.SplitSeq(e.Attrs["name"], ",") {
			if repository := registry.Repository(ref); !slices.Contains(repositories, repository) {
				repositories = append(repositories, repository)
			}
		}
	}
	return repositories
}
