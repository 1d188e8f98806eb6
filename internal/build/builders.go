package build

import (
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/builder"
)

// checkBuilders refuses a list of builders that cannot be a pool, and an output that could not
// start over on another builder when one is lost.
func checkBuilders(opt Options) error {
	if err := builder.CheckAddresses(opt.Builders); err != nil {
		return fmt.Errorf("--builder: %w", err)
	}
	if len(opt.Builders) < 2 {
		return nil
	}
	for _, value := range opt.Outputs {
		o, err := parseOutput(value)
		if err != nil {
			return err
		}
		if o.toFile() {
			return fmt.Errorf("--output %s: one file cannot be begun again on another builder when one is lost: name one --builder, or use type=local", value)
		}
	}
	return nil
}

// builderPlatform returns the builders' own platform. If follow is true, the images depend on it,
// and builders with different platforms are an error: the choice of builder must not change an
// image.
func builderPlatform(builders []*builder.Builder, follow bool) (ocispecs.Platform, error) {
	own := ownPlatform(builders[0])
	agree := !slices.ContainsFunc(builders, func(b *builder.Builder) bool {
		p := ownPlatform(b)
		return p.OS != own.OS || p.Architecture != own.Architecture
	})
	if follow && !agree {
		return own, errors.New("the builders are of different architectures, and not every base image says its own: choose with --platform")
	}
	return own, nil
}

func ownPlatform(b *builder.Builder) ocispecs.Platform {
	if p := b.Workers[0].Platforms; len(p) > 0 {
		return p[0]
	}
	return platforms.DefaultSpec()
}
