package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/llbgen"
)

// checkBuilders refuses several builders that are not a pool, and an output that
// could not be begun again on another when one is lost.
func checkBuilders(opt Options) error {
	if err := builder.CheckAddresses(opt.Builders); err != nil {
		return fmt.Errorf("--builder: %w", err)
	}
	if len(opt.Builders) < 2 {
		return nil
	}
	for _, output := range opt.Outputs {
		if isOneFile(output) {
			return fmt.Errorf("--output %s: one file cannot be begun again on another builder when one is lost: name one --builder, or use type=local", output)
		}
	}
	return nil
}

// isOneFile reports whether an --output is a file, or standard output.
func isOneFile(output string) bool {
	fields := strings.Split(output, ",")
	return output == "-" || slices.Contains(fields, "type=tar") ||
		(slices.Contains(fields, "type=oci") || slices.Contains(fields, "type=docker")) && !slices.Contains(fields, "tar=false")
}

// runtimeEntry names the entry of `runtimes` that a target is of: its variants
// share layers, and are built together.
func runtimeEntry(t llbgen.Target) string { return strings.TrimSuffix(t.Name, "-"+t.Variant) }

// builderPlatform is the builders' own platform, for a base image that does not
// say its own. Builders that differ cannot decide: which of them builds an image
// must not change it.
func builderPlatform(builders []*builder.Builder, opt Options, targets []llbgen.Target) (ocispecs.Platform, error) {
	own := ownPlatform(builders[0])
	agree := !slices.ContainsFunc(builders, func(b *builder.Builder) bool {
		p := ownPlatform(b)
		return p.OS != own.OS || p.Architecture != own.Architecture
	})
	open := len(opt.Platforms) == 0 && slices.ContainsFunc(targets, func(t llbgen.Target) bool { return t.Arch == "" })
	if open && !agree {
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
