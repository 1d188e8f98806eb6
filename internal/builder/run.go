package builder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/util/grpcerrors"
	digest "github.com/opencontainers/go-digest"
	"google.golang.org/grpc/codes"
)

// Job is one image to build.
type Job struct {
	Name  string // prefix of its progress lines
	Group string // jobs of a group share layers, so a Pool solves them on the same builder; empty means a group for Name alone
	Build gateway.BuildFunc
	// Opt is the input of Build and the destination of its result. Run sets Session, LocalMounts,
	// OCIStores, SharedKey and the shared session.
	Opt client.SolveOpt
	// Failed gets the result of a failed job, also if the builder was lost, before Retry does. It may be
	// nil.
	Failed func(failed Result)
	// Retry gets the result of a failed job; if it returns true, the job is solved once more. It
	// may be nil.
	Retry func(ctx context.Context, failed Result) bool
	// Once says that the result cannot be exported twice, because what a program or the standard
	// output got cannot be taken back.
	Once bool
	// Ready waits until the registries that the job needs take requests, as far as they say when.
	// It is called before a job is solved again because its connections broke off. It may be nil.
	Ready func(ctx context.Context)
	// After are jobs to solve on the same builder if this job succeeds. The display shows them as
	// part of it.
	After []Job
}

// Result is the outcome of the Job with the same index.
type Result struct {
	Name     string
	Builder  *Builder              // the builder that solved it, or was to
	Response *client.SolveResponse // nil if Err is set
	Err      error                 // the cause of the cancellation when ctx was cancelled
	Cause    error                 // the error of Job.Build; in Err the builder passes it on as text
	Warnings []client.VertexWarning
	Log      string // the end of the failed step's output
	After    []Result
	Work     Work // with that of After

	manifests, indexes []digest.Digest // what was exported
	attestations       []digest.Digest // their manifests
	pushing            []string        // see Pushed
}

// LostError says that the connection to the builder broke while it was building.
type LostError struct {
	Builder string
	Log     string // the last lines of a private buildkitd's log
	Err     error
}

func (e *LostError) Error() string {
	if e.Log != "" {
		return fmt.Sprintf("the %s ended while it was building; the end of its log:\n%s", e.Builder, e.Log)
	}
	return fmt.Sprintf("lost the connection to the %s while it was building: %v; run this again (if it ended, its log says why)", e.Builder, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// solver solves one job and shows its progress.
type solver func(job Job, out *jobWriter) Result

// open opens a session. It returns a function that solves jobs in it, and one that closes it after
// the last job. If the session cannot be opened, every job gets that error; if a private buildkitd
// ends, the jobs that it was solving do.
func (b *Builder) open(ctx context.Context, so SessionOptions) (_ solver, closeSession func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	shared, err := b.openSession(ctx, so, cancel)
	if err != nil {
		cancel(err)
		return func(job Job, _ *jobWriter) Result { return Result{Name: job.Name, Err: err} }, func() {}
	}
	stopWatching := b.watchDaemon(ctx, cancel)
	solve := func(job Job, out *jobWriter) Result { return b.solve(ctx, so, shared, job, out) }
	return solve, func() {
		shared.close()
		cancel(nil)
		stopWatching()
	}
}

// watchDaemon calls lost if a private buildkitd ends before ctx does. The returned function waits
// for the watch to end.
func (b *Builder) watchDaemon(ctx context.Context, lost func(error)) (wait func()) {
	if b.daemon == nil {
		return func() {}
	}
	var g sync.WaitGroup
	g.Go(func() {
		select {
		case <-b.daemon.ended():
			lost(b.lost(errors.New("it ended")))
		case <-ctx.Done():
		}
	})
	return g.Wait
}

// solve runs one job, and then the jobs that come after it.
func (b *Builder) solve(ctx context.Context, so SessionOptions, shared *sharedSession, job Job, out *jobWriter) Result {
	defer out.close()
	res := b.solveAgain(ctx, so, shared, job, out)
	if res.Err != nil && job.Failed != nil {
		job.Failed(res)
	}
	if res.Err != nil && job.Retry != nil && ctx.Err() == nil && !isLost(res.Err) && job.Retry(ctx, res) {
		before := res.Work
		res = b.solveAgain(ctx, so, shared, job, out)
		res.Work.join(before)
	}
	for _, next := range job.After {
		if res.Err != nil {
			break
		}
		after := b.solveAgain(ctx, so, shared, next, out)
		res.After = append(res.After, after)
		res.Work.join(after.Work)
		if isLost(after.Err) {
			res.Response, res.Err = nil, after.Err
		}
	}
	return res
}

func (b *Builder) solveOne(ctx context.Context, so SessionOptions, shared *sharedSession, job Job, out *jobWriter) (res Result) {
	res = Result{Name: job.Name, Builder: b}
	started := time.Now()
	defer func() { res.Work.Took = time.Since(started) }()
	if ctx.Err() != nil {
		res.Err = context.Cause(ctx)
		return res
	}
	opt := ownMaps(job.Opt)
	opt.Ref = identity.NewID()
	res.Work.solves = []solved{{b, opt.Ref}}
	shared.fill(opt.FrontendAttrs)
	if needsOwnSession(opt) {
		opt.Session, opt.LocalMounts, opt.OCIStores, opt.SharedKey = so.Attachables, so.LocalMounts, so.OCIStores, so.SharedKey
	} else {
		opt.SharedSession, opt.SessionPreInitialized = shared.Session, true
		opt.Session, opt.LocalMounts, opt.OCIStores = nil, nil, nil
	}

	ctx, cancel := context.WithCancelCause(ctx)
	quiet := b.newSilence(so, job, func(sentence string) { out.d.tell(out.named(sentence)) })
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := quiet.watch(ctx); err != nil {
			cancel(err)
		}
	})
	defer watching.Wait()
	defer cancel(nil)
	logs := stepLogs{}
	status := make(chan *client.SolveStatus)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for st := range status {
			quiet.hear(st)
			res.hear(st)
			logs.add(st)
			out.write(st)
		}
	}()
	opt, build := withholdKeys(opt, job.Build)
	res.Response, res.Err = b.client.Build(ctx, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		built, err := build(context.WithValue(ctx, sessionKey{}, shared), c)
		res.Cause = err
		return built, err
	}, status)
	<-drained
	if res.Err != nil {
		res.Response, res.Err, res.Log = nil, b.explain(ctx, shared, res.Err), logs.ofFailed()
		if isLost(res.Err) {
			out.abandon()
		}
	}
	return res
}

// hear records what the builder reports.
func (r *Result) hear(st *client.SolveStatus) {
	r.Work.add(r.Builder, st)
	for _, w := range st.Warnings {
		r.Warnings = append(r.Warnings, *w)
	}
	r.manifests = append(r.manifests, exported(st, "manifest")...)
	r.indexes = append(r.indexes, exported(st, "manifest list")...)
	r.attestations = append(r.attestations, exported(st, "attestation manifest")...)
	r.pushing = append(r.pushing, pushing(st)...)
}

// answers returns nil if the builder answers before ctx ends.
func (b *Builder) answers(ctx context.Context) error {
	_, err := b.client.ListWorkers(ctx)
	return err
}

// explain distinguishes a cancelled build and a lost connection from a failed build.
func (b *Builder) explain(ctx context.Context, shared *sharedSession, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !b.wasLost(ctx, shared, err) {
		return err
	}
	return b.lost(reason(err))
}

// lost returns the error of the jobs that the builder was building when it was lost.
func (b *Builder) lost(err error) error {
	lost := &LostError{Builder: b.String(), Err: err}
	if b.daemon != nil {
		lost.Log = b.daemon.logTail()
	}
	return lost
}

// wasLost reports whether a solve failed because its builder ended. An error inside the build may
// be Unavailable too, so it checks whether the builder is still there. A builder that was restarted
// answers, but its session is broken.
func (b *Builder) wasLost(ctx context.Context, shared *sharedSession, err error) bool {
	if grpcerrors.Code(err) == codes.Unavailable {
		if _, gone := b.ping(ctx, 2*time.Second); gone != nil {
			return true
		}
	}
	return shared.broken()
}

// ownMaps returns opt with copies of the maps that client.Build writes to, because jobs may share
// them. It sets FrontendAttrs, without which client.Build panics.
func ownMaps(opt client.SolveOpt) client.SolveOpt {
	attrs := make(map[string]string, len(opt.FrontendAttrs))
	maps.Copy(attrs, opt.FrontendAttrs)
	opt.FrontendAttrs = attrs
	opt.CacheImports = cloneEntries(opt.CacheImports)
	opt.CacheExports = cloneEntries(opt.CacheExports)
	return opt
}

func cloneEntries(entries []client.CacheOptionsEntry) []client.CacheOptionsEntry {
	var out []client.CacheOptionsEntry
	for _, e := range entries {
		out = append(out, client.CacheOptionsEntry{Type: e.Type, Attrs: maps.Clone(e.Attrs)})
	}
	return out
}

// needsOwnSession reports whether the job needs its own session: export ids start at zero in each
// solve, and client.Build attaches the stores of local caches only to a session that it opens
// itself.
func needsOwnSession(opt client.SolveOpt) bool {
	return slices.ContainsFunc(opt.Exports, func(e client.ExportEntry) bool {
		return e.Output != nil || e.OutputDir != "" || e.OutputStore != nil
	}) || slices.ContainsFunc(slices.Concat(opt.CacheImports, opt.CacheExports), func(e client.CacheOptionsEntry) bool {
		return e.Type == "local"
	})
}

// Cancelled reports whether the job was stopped rather than failed.
func (r Result) Cancelled() bool { return errors.Is(r.Err, context.Canceled) }
