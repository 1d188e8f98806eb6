package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/moby/buildkit/cmd/buildctl/build"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/moby/buildkit/util/staticfs"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/llbgen"
)

// Build builds the images that the options ask for, all at once, on one builder
// or spread over several. Mistakes in the input are an [*InputError] and cost nothing; a
// [*FailedError] says which images failed while others were made.
func Build(ctx context.Context, opt Options) error {
	r, err := prepare(opt)
	if err != nil {
		return inputError(err)
	}
	pool, err := builder.FindPool(ctx, opt.Builders, opt.Builder)
	if err != nil {
		return err
	}
	defer pool.Close()
	return r.run(ctx, pool)
}

// request is a build that was found to be right as far as can be told without
// a builder.
type request struct {
	opt         Options
	file        buildFile
	lock        []byte // the lock file's text; nil where there is none
	args        map[string]string
	plan        *llbgen.Plan
	targets     []llbgen.Target
	context     mainContext
	contexts    *contexts
	attachables []session.Attachable
	display     *builder.Display
}

func prepare(opt Options) (_ *request, err error) {
	r := &request{opt: opt, args: withMirrors(opt)}
	if err := r.load(); err != nil {
		return nil, err
	}
	if err := refuseFindings(r.plan, r.targets); err != nil {
		return nil, err
	}
	if err := check(opt, r.plan, r.targets); err != nil {
		return nil, err
	}
	// Which platform is the builder's own is not known yet, and hardly matters.
	if _, err := planImages(r.plan, r.targets, opt, ocispecs.Platform{OS: "linux", Architecture: "amd64"}); err != nil {
		return nil, err
	}
	if r.contexts, err = namedContexts(opt.BuildContexts); err != nil {
		return nil, err
	}
	if err := r.serveContext(); err != nil {
		return nil, err
	}
	if r.attachables, err = sessionAttachables(opt); err != nil {
		return nil, err
	}
	if r.display, err = builder.NewDisplay(opt.Stderr, opt.Progress); err != nil {
		return nil, fmt.Errorf("--progress: %w", err)
	}
	return r, nil
}

// load reads the build file and its lock file, and selects the targets.
func (r *request) load() (err error) {
	if r.context, err = readContext(r.opt); err != nil {
		return err
	}
	if r.file, err = readFile(r.opt); err != nil {
		return fmt.Errorf("read the build file: %w", err)
	}
	lockfile, data, err := readLockfile(r.opt, r.file)
	if err != nil {
		return err
	}
	r.lock = data
	if r.plan, err = llbgen.Load(r.file.name, r.file.data, r.args, llbgen.Today(time.Now()), llbgen.WithLockfile(lockfile)); err != nil {
		return missingFile(err, r.opt, r.file)
	}
	r.targets, err = selectTargets(r.plan, r.opt.Targets)
	return err
}

// serveContext has the session serve the build context where something is read
// from it, and nothing of it otherwise.
func (r *request) serveContext() error {
	if r.plan.File.Serverless.Lock == "" || r.context.folder == "" {
		return nil
	}
	return r.contexts.serve(localContext, r.context.folder)
}

func (r *request) run(ctx context.Context, pool *builder.Pool) error {
	fallback, err := builderPlatform(pool.Builders(), r.opt, r.targets)
	if err != nil {
		return inputError(err)
	}
	images, err := planImages(r.plan, r.targets, r.opt, fallback)
	if err != nil {
		return inputError(err)
	}
	inEngine := pool.Builders()[0].Kind == builder.Docker // which is never one of several
	report := newReport(r.opt, r.plan, inEngine)
	if r.opt.SkipExisting {
		if images, err = report.skipExisting(ctx, images); err != nil {
			return err
		}
	}
	var jobs []builder.Job
	for _, i := range images {
		entries, err := exports(r.opt, i, len(images) > 1, inEngine)
		if err != nil {
			return inputError(err)
		}
		job, err := r.job(i, entries)
		if err != nil {
			return inputError(err)
		}
		jobs = append(jobs, job)
	}
	files := staticfs.NewFS()
	files.Add(r.file.name, &types.Stat{Mode: 0o644}, r.file.data)
	if r.lock != nil {
		files.Add(llbgen.LockFilename(r.file.name), &types.Stat{Mode: 0o644}, r.lock)
	}
	r.contexts.mounts[localDockerfile] = files
	results := pool.Run(ctx, builder.SessionOptions{
		Attachables: r.attachables,
		LocalMounts: r.contexts.mounts,
		OCIStores:   r.contexts.stores,
	}, jobs, r.display)
	return report.finish(ctx, images, results)
}

func withMirrors(opt Options) map[string]string {
	args := maps.Clone(opt.BuildArgs)
	if args == nil {
		args = map[string]string{}
	}
	if len(opt.Mirrors) > 0 {
		name, value := llbgen.MirrorsArg(opt.Mirrors)
		args[name] = value
	}
	return args
}

// missingFile adds to the mistakes of an empty build file that there was none.
func missingFile(err error, opt Options, file buildFile) error {
	if opt.File != "" || file.data != nil {
		return err
	}
	return fmt.Errorf("there is no %s in %s; without one, build arguments must give everything (see samforge build --help):\n%w",
		llbgen.Filename, cmp.Or(opt.Context, "this folder"), err)
}

// check refuses options that contradict each other.
func check(opt Options, plan *llbgen.Plan, targets []llbgen.Target) error {
	switch {
	case len(opt.Tags) > 0 && len(targets) > 1:
		return fmt.Errorf("--tag names one image, and %d targets are selected: choose one with --target, or use --tag-template", len(targets))
	case opt.IIDFile != "" && len(targets) > 1:
		return fmt.Errorf("--iidfile holds one image ID, and %d targets are selected: choose one with --target, or use --metadata-file", len(targets))
	case (opt.Push || opt.SkipExisting) && len(opt.Tags) == 0 && plan.File.Repo == "":
		return errors.New("there is no repository to push to: set repo in the build file, --repo or --tag")
	}
	return checkBuilders(opt)
}

// sessionAttachables are what the builder may ask the client for: credentials from
// the Docker config, secrets and SSH agents.
func sessionAttachables(opt Options) ([]session.Attachable, error) {
	attachables := []session.Attachable{builder.Auth(opt.Stderr)}
	if len(opt.Secrets) > 0 {
		secrets, err := build.ParseSecret(opt.Secrets)
		if err != nil {
			return nil, fmt.Errorf("--secret: %w", err)
		}
		attachables = append(attachables, secrets)
	}
	if len(opt.SSH) > 0 {
		configs, err := build.ParseSSH(opt.SSH)
		if err != nil {
			return nil, fmt.Errorf("--ssh: %w", err)
		}
		agents, err := sshprovider.NewSSHAgentProvider(configs)
		if err != nil {
			return nil, fmt.Errorf("--ssh: %w", err)
		}
		attachables = append(attachables, agents)
	}
	return attachables, nil
}

// writeFile writes what a flag such as --metadata-file asks for.
func writeFile(flag, path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}

// sortedKeys is used wherever a map is shown to people.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
