package frontend

import (
	"context"
	"errors"
	"strings"

	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/samforge/samforge/llbgen"
)

// atSource ties the mistakes in err to their lines of the build file, which the
// client then shows.
func (b *build) atSource(err error) error {
	mistakes := llbgen.Diagnostics{}
	var one *llbgen.Diagnostic
	if !errors.As(err, &mistakes) && errors.As(err, &one) {
		mistakes = append(mistakes, one)
	}
	if len(mistakes) == 0 {
		return err
	}
	var summaries []string
	var ranges []*pb.Range
	for _, m := range mistakes {
		summaries = append(summaries, m.Summary())
		ranges = append(ranges, m.Ranges()...)
	}
	err = &sourceError{text: strings.Join(summaries, "\n"), error: err}
	if len(ranges) == 0 {
		return err
	}
	return errdefs.WithSource(err, &errdefs.Source{
		Info:   &pb.SourceInfo{Filename: b.src.Filename, Language: b.src.Language, Data: b.src.Data},
		Ranges: ranges,
	})
}

// sourceError is an error whose lines the client shows beside it.
type sourceError struct {
	text string
	error
}

func (e *sourceError) Error() string { return e.text }
func (e *sourceError) Unwrap() error { return e.error }

// GRPCStatus carries the text through the gateway, which would pass on the
// message of the status inside and drop what was wrapped around it.
func (e *sourceError) GRPCStatus() *status.Status {
	s := &spb.Status{Code: int32(codes.Unknown)}
	if inner, ok := grpcerrors.AsGRPCStatus(e.error); ok && inner != nil {
		s = inner.Proto()
	}
	s.Message = e.text
	return status.FromProto(s)
}

// warn sends warnings to the client, with their lines of the build file.
func (b *build) warn(ctx context.Context, warnings []*llbgen.Diagnostic) {
	caps := b.BuildOpts().Caps
	passedOn := caps.Supports(gwpb.CapGatewayWarnings) == nil
	for _, w := range warnings {
		if passedOn {
			b.src.Warn(ctx, w.Message, client.WarnOpts{Range: w.Ranges()})
		} else if b.Warn != nil {
			b.Warn(w.Summary())
		}
	}
}
