package ci

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/imagefile"
	"github.com/samforge/samforge/internal/project"
)

// pushTar pushes the image in PLUGIN_SOURCE_TAR_PATH.
func (s *Step) pushTar(ctx context.Context, refs []string, opt build.Options, o Options) (pushed []build.Ref, err error) {
	folder, err := os.MkdirTemp("", "samforge-push-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	platform := ""
	if len(s.platforms) == 1 {
		platform = s.platforms[0]
	}
	image, err := imagefile.Open(s.sourceTar, platform, folder)
	if err != nil {
		return nil, project.BadInput(fmt.Errorf("PLUGIN_SOURCE_TAR_PATH: the image in %s: %w", s.sourceTar, err))
	}
	if err := opt.Prepare(ctx, nil, nil); err != nil {
		return nil, err
	}
	for _, ref := range refs {
		digest, err := opt.Registries.Push(ctx, image, ref)
		if err != nil {
			return pushed, err
		}
		pushed = append(pushed, build.Ref{Name: ref, Digest: digest})
		if _, err := fmt.Fprintln(o.Stdout, pushed[len(pushed)-1]); err != nil {
			return pushed, fmt.Errorf("write the result: %w", err)
		}
	}
	return pushed, nil
}
