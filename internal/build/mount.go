package build

import (
	"context"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// mountBase returns a function that asks the registry to mount the base image's layers instead of
// having the builder upload them. It is nil where BuildKit does so itself: for layers that it has
// not pulled. What it has pulled for any target it would send back, and the base image of one often
// shares layers with another image that is pulled: they have the same operating system. A registry
// that does not mount gets the bytes from BuildKit.
func (r *request) mountBase(t project.Target, all []project.Target, exports []bkclient.ExportEntry) func(context.Context, ocispecs.Platform, *llbgen.Image) {
	repositories := pushedTo(exports)
	pulled := slices.ContainsFunc(all, func(other project.Target) bool { return len(other.Pulls) > 0 })
	if len(repositories) == 0 || !pulled {
		return nil
	}
	return func(ctx context.Context, platform ocispecs.Platform, image *llbgen.Image) {
		if image.Base.Digest == "" {
			return
		}
		from := r.project.Mirrors.Image(image.Base.Name) + "@" + image.Base.Digest.String()
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
