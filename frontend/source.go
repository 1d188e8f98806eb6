package frontend

import (
	"context"
	"errors"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/llbgen"
)

// atSource ties err to its lines of the build file, for the client to show.
func (b *build) atSource(err error) error {
	var d *llbgen.Diagnostic
	if !errors.As(err, &d) || d.Line == 0 {
		return err
	}
	return errdefs.WithSource(err, &errdefs.Source{
		Info: &pb.SourceInfo{
			Filename: b.src.Filename,
			Language: b.src.Language,
			Data:     b.src.Data,
		},
		Ranges: d.Ranges(),
	})
}

// warn sends warnings to the client, with their lines of the build file.
func (b *build) warn(ctx context.Context, warnings []*llbgen.Diagnostic) {
	for _, w := range warnings {
		b.src.Warn(ctx, w.Message, client.WarnOpts{Range: w.Ranges()})
	}
}
