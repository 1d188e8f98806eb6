package build

import (
	"context"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// mountBase returns what has the registry take the layers of an image's base from
// the repository that they are in; nil where that is left to BuildKit, which does
// it for layers that it has not pulled. Those of a node image it has, and would
// send all of them back. A registry that does not do it gets them as before.
func (r *request) mountBase(i image, exports []bkclient.ExportEntry) func(context.Context, ocispecs.Platform, *llbgen.Image) {
	repositories := pushedTo(exports)
	isNode := slices.ContainsFunc(r.targets, func(t llbgen.Target) bool { return t.Node == i.Base })
	if len(repositories) == 0 || !isNode {
		return nil
	}
	return func(ctx context.Context, platform ocispecs.Platform, image *llbgen.Image) {
		if image.Base.Digest == "" {
			return
		}
		from := r.plan.File.Mirrors.Image(image.Base.Name) + "@" + image.Base.Digest.String()
		for _, to := range repositories {
			if registry.Same(from, to) && registry.Repository(from) != to {
				_ = registry.Mount(ctx, from, platform, to)
			}
		}
	}
}

// pushedTo returns the repositories that the exports push to, each once.
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
