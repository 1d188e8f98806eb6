package frontend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// ChecksOf returns what takes the place of check directives, if it is among the build arguments; nil
// otherwise.
func ChecksOf(args map[string]string) *string {
	if options, given := args[rules.Arg]; given {
		return &options
	}
	return nil
}

// Distinct returns the findings without repetitions: functions share Dockerfiles.
func Distinct(found []*source.Diagnostic) []*source.Diagnostic {
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(d *source.Diagnostic) bool {
		key := d.Rule + " " + d.Summary()
		repeated := seen[key]
		seen[key] = true
		return repeated
	})
}

// lintFunctions returns the findings about the requested function, or without a target about all: of
// samforge's rules, and of those of the Dockerfile frontend.
func (b *build) lintFunctions(ctx context.Context, t *samtemplate.Template) (*lint.LintResults, error) {
	functions, err := b.requested(t)
	if err != nil {
		return nil, err
	}
	report := TemplateReport(t)
	report.Add(t.WarningsAbout(functions...))
	if b.Target == "" {
		report.Add(t.Lint())
	}
	for _, f := range functions {
		results := &lint.LintResults{}
		err := b.ask(ctx, f, results)
		var unsupported *errdefs.UnsupportedSubrequestError
		if err != nil && !errors.As(err, &unsupported) { // another frontend may have no rules
			return nil, err
		}
		report.Merge(results)
		own, file, err := b.findings(ctx, f)
		if err != nil {
			return nil, err
		}
		report.AddFile(file)
		report.Add(own)
	}
	nameFiles(report.Results)
	return report.Results, nil
}

// nameFiles puts the name of the file before findings and mistakes outside of the build file, since
// docker buildx shows the build file's name for every file.
func nameFiles(results *lint.LintResults) {
	for i, w := range results.Warnings {
		if n := w.Location.SourceIndex; n > 0 {
			results.Warnings[i].Detail = results.Sources[n].Filename + ": " + w.Detail
		}
	}
	if err := results.Error; err != nil && err.Location.SourceIndex > 0 {
		err.Message = results.Sources[err.Location.SourceIndex].Filename + ": " + err.Message
	}
}

// requested returns the requested function, or without a target all that are built.
func (b *build) requested(t *samtemplate.Template) ([]*samtemplate.Function, error) {
	if b.Target == "" {
		return slices.DeleteFunc(t.AllFunctions(), func(f *samtemplate.Function) bool { return f.Origin != samtemplate.FromDockerfile }), nil
	}
	f, err := FunctionNamed(t, b.Target)
	return []*samtemplate.Function{f}, err
}

// ask asks the Dockerfile frontend what the client asked, about a function, and decodes the answer
// into result.
func (b *build) ask(ctx context.Context, f *samtemplate.Function, result any) error {
	request, err := b.requestFor(ctx, f)
	if err != nil {
		return err
	}
	res, err := b.gateway.Solve(ctx, request)
	if err != nil {
		return err
	}
	answer, ok := res.Metadata["result.json"]
	if !ok {
		return errdefs.NewUnsupportedSubrequestError(b.BuildOpts().Opts["requestid"])
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("read the answer about the Dockerfile of %s: %w", f.Path, err)
	}
	return nil
}

// outlineOf returns the build arguments and secrets of the requested function.
func (b *build) outlineOf(ctx context.Context, t *samtemplate.Template) (*outline.Outline, error) {
	f, err := FunctionNamed(t, b.Target)
	if err != nil {
		return nil, err
	}
	o := &outline.Outline{}
	if err := b.ask(ctx, f, o); err != nil {
		return nil, err
	}
	o.Name = f.Path
	return o, nil
}

// findings returns what samforge's rules find about a function, and its Dockerfile.
func (b *build) findings(ctx context.Context, f *samtemplate.Function) ([]*source.Diagnostic, *pb.SourceInfo, error) {
	d, err := b.dockerfileOf(f)
	if err != nil {
		return nil, nil, err
	}
	data, _, err := b.readDockerfile(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	isPinned, err := b.isPinned(ctx)
	if err != nil {
		return nil, nil, err
	}
	known, err := catalogue.Load()
	if err != nil {
		return nil, nil, err
	}
	file := &pb.SourceInfo{Filename: d.path, Language: "Dockerfile", Data: data}
	found := append(f.Lint(), f.LintDockerfile(samtemplate.Dockerfile{
		Name: d.path, Data: data, Args: b.BuildArgs, IsPinned: isPinned, Catalogue: known, Today: time.Now(),
	})...)
	return found, file, nil
}

// isPinned returns a function that reports whether a named context or the lock file takes the place
// of an image.
func (b *build) isPinned(ctx context.Context) (func(ref string) bool, error) {
	lockfile, err := b.readLockfile(ctx)
	return func(ref string) bool {
		named, err := reference.ParseNormalizedNamed(ref)
		if err != nil {
			return false
		}
		name := strings.TrimSuffix(reference.FamiliarString(reference.TagNameOnly(named)), ":latest")
		_, replaced := b.BuildOpts().Opts["context:"+name]
		return replaced || IsLocked(lockfile, ref)
	}, err
}

// IsLocked reports whether a lock file, which may be nil, has the digest of an image.
func IsLocked(lockfile *llbgen.Lockfile, ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	return err == nil && lockfile.Pin(reference.TagNameOnly(named).String(), ocispecs.Platform{}).Digest != ""
}

// warnAbout sends the warnings about a function and its template to the client. It returns an error
// if the template allows none.
func (b *build) warnAbout(ctx context.Context, t *samtemplate.Template, f *samtemplate.Function) error {
	found, file, err := b.findings(ctx, f)
	if err != nil {
		return err
	}
	report := TemplateReport(t)
	report.AddFile(file)
	found = Distinct(append(t.WarningsAbout(f), found...))
	for _, d := range found {
		if d.Filename == file.Filename { // the client shows the number of the line alone
			d.Message = d.Filename + ": " + d.Message
		}
	}
	b.send(ctx, found, report.Results.Sources...)
	found = slices.DeleteFunc(found, func(d *source.Diagnostic) bool { return d.Rule == "" })
	if len(found) == 0 || !t.RefusesFindings() {
		return nil
	}
	return &llbgen.LintError{Findings: found}
}

// answer answers `docker buildx build --call` for a template. The second result is false if the
// client wants a build.
func (b *build) answer(ctx context.Context, t *samtemplate.Template) (*client.Result, bool, error) {
	return b.HandleSubrequest(ctx, dockerui.RequestHandler{
		Outline:     func(ctx context.Context) (*outline.Outline, error) { return b.outlineOf(ctx, t) },
		ListTargets: func(context.Context) (*targets.List, error) { return functions(t), nil },
		Lint:        func(ctx context.Context) (*lint.LintResults, error) { return b.lintFunctions(ctx, t) },
		AllowOther:  true, // which the Dockerfile frontend answers
	})
}
