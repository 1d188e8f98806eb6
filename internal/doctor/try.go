package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/worker/label"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"

	"github.com/samforge/samforge/internal/builder"
)

// Try builds an image with one step on each builder that a build would use, and starts it if it is a
// private one. It needs no registry: the step runs samforge itself, which is a static program.
func Try(ctx context.Context, opt Options) (found []Finding) {
	const check = "a build"
	for _, of := range opt.builders() {
		detail, err := try(ctx, of)
		if err != nil {
			found = append(found, Finding{Check: check, Level: Problem, Detail: err.Error()})
			continue
		}
		found = append(found, ok(check, detail))
	}
	return found
}

// try returns what the builder did.
func try(ctx context.Context, opt builder.Options) (detail string, err error) {
	var addresses []string
	if opt.Address != "" {
		addresses = []string{opt.Address}
	}
	pool, err := builder.FindPool(ctx, addresses, opt)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	files, err := fsutil.NewFS(filepath.Dir(exe))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", filepath.Dir(exe), err)
	}
	state := llb.Scratch().File(llb.Mkfile("/doctor", 0o644, []byte("samforge doctor\n")))
	worker := pool.Builders()[0].Workers[0]
	detail = "it wrote a file; no step was run, because the builder cannot run this samforge"
	if slices.ContainsFunc(worker.Platforms, isThis) {
		detail = "it wrote a file and ran a step"
		program := llb.Local("program", llb.FollowPaths([]string{filepath.Base(exe)}))
		state = state.File(llb.Copy(program, "/"+filepath.Base(exe), "/samforge")).
			Run(llb.Args([]string{"/samforge", "version"}), llb.IgnoreCache, llb.WithCustomName("samforge doctor")).Root()
	}
	job := builder.Job{Name: "doctor", Build: func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		definition, err := state.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		return c.Solve(ctx, gateway.SolveRequest{Definition: definition.ToPB(), Evaluate: true})
	}}
	results := pool.Run(ctx, builder.SessionOptions{LocalMounts: map[string]fsutil.FS{"program": files}}, []builder.Job{job}, nil)
	if err := results[0].Err; err != nil && results[0].Log != "" {
		return "", fmt.Errorf("%w\n%s", err, results[0].Log)
	}
	if snapshotter := worker.Labels[label.Snapshotter]; snapshotter != "" {
		detail += ", with the snapshotter " + snapshotter
	}
	return detail, results[0].Err
}

// isThis reports whether a builder's platform can run this program.
func isThis(p ocispecs.Platform) bool {
	return p.OS == runtime.GOOS && p.Architecture == runtime.GOARCH
}
