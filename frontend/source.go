package frontend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/samforge/samforge/source"
)

// atSource ties the mistakes in err to their lines of the build file, so that the client shows
// these. It ties an error without a line to the file: otherwise the Dockerfile frontend that
// forwards `# syntax=` would show that line.
func (b *build) atSource(err error) error {
	mistakes := source.Diagnostics{}
	var one *source.Diagnostic
	if !errors.As(err, &mistakes) && errors.As(err, &one) {
		mistakes = append(mistakes, one)
	}
	var summaries []string
	var ranges []*pb.Range
	for _, m := range mistakes {
		summaries = append(summaries, m.Summary())
		ranges = append(ranges, m.Ranges()...)
	}
	if b.Version != "" && slices.ContainsFunc(mistakes, func(m *source.Diagnostic) bool { return m.UnknownKey }) {
		summaries = append(summaries, "this is samforge-frontend "+b.Version+": if the build file is made for a newer one, name that in its # syntax= line")
	}
	if len(summaries) > 0 {
		err = &sourceError{text: strings.Join(summaries, "\n"), error: err}
	}
	return errdefs.WithSource(err, &errdefs.Source{
		Info:   &pb.SourceInfo{Filename: b.src.Filename, Language: b.src.Language, Data: shown(b.src.Data)},
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

// GRPCStatus carries the text through the gateway, which would pass on only the message of the
// wrapped status.
func (e *sourceError) GRPCStatus() *status.Status {
	s := &spb.Status{Code: int32(codes.Unknown)}
	if inner, ok := grpcerrors.AsGRPCStatus(e.error); ok && inner != nil {
		s = inner.Proto()
	}
	s.Message = e.text
	return status.FromProto(s)
}

// warn sends warnings to the client. It returns an error if the build file allows none.
func (b *build) warn(ctx context.Context, warnings []*source.Diagnostic) error {
	b.send(ctx, warnings)
	return b.plan.Violation(warnings)
}

// send sends warnings to the client, with their lines of the files, or else of the build file. What
// it has sent for one platform it does not send for the next.
func (b *build) send(ctx context.Context, warnings []*source.Diagnostic, files ...*pb.SourceInfo) {
	caps := b.BuildOpts().Caps
	passedOn := caps.Supports(gwpb.CapGatewayWarnings) == nil
	for _, w := range warnings {
		if _, done := b.sent.LoadOrStore(w.Error(), true); done {
			continue
		}
		text, opts := warning(w)
		if i := slices.IndexFunc(files, func(file *pb.SourceInfo) bool { return file.Filename == w.Filename }); i >= 0 {
			opts.SourceInfo = files[i]
		}
		if passedOn {
			b.src.Warn(ctx, text, opts)
		} else if b.Warn != nil {
			b.Warn(text)
		}
	}
}

// explainRead returns an error that says in the user's terms why the build file could not be read.
func explainRead(filename string, err error) error {
	if text := err.Error(); strings.Contains(text, "no such file or directory") || strings.Contains(text, "not found") {
		return fmt.Errorf("there is no %s in the build context: name the build file with --file: %w", filename, err)
	}
	return fmt.Errorf("read the build file %s: %w", filename, err)
}
