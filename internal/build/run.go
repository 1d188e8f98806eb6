package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cmd/buildctl/build"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/moby/buildkit/util/staticfs"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/llbgen"
)

// Run builds the images that the options ask for, all at once and in one
// session. Mistakes in the input are an [*InputError] and cost nothing; a
// [*FailedError] says which images failed while others were made.
func Run(ctx context.Context, opt Options) error {
	file, err := readFile(opt)
	if err != nil {
		return inputError(fmt.Errorf("read the build file: %w", err))
	}
	args := withMirrors(opt)
	plan, err := llbgen.Load(file.name, file.data, args)
	if err != nil {
		return inputError(missingFile(err, opt, file))
	}
	targets, err := selectTargets(plan, opt.Targets)
	if err != nil {
		return inputError(err)
	}
	if err := check(opt, plan, targets); err != nil {
		return inputError(err)
	}
	contexts, err := namedContexts(opt.BuildContexts)
	if err != nil {
		return inputError(err)
	}
	attachables, err := attachables(opt)
	if err != nil {
		return inputError(err)
	}
	display, err := builder.NewDisplay(opt.Stderr, opt.Progress)
	if err != nil {
		return inputError(fmt.Errorf("--progress: %w", err))
	}
	// What needs no builder is said before one is looked for.
	if _, err := images(plan, targets, opt, platforms.DefaultSpec()); err != nil {
		return inputError(err)
	}

	b, err := builder.Find(ctx, opt.Builder)
	if err != nil {
		return err
	}
	defer b.Close()
	images, err := images(plan, targets, opt, builderPlatform(b))
	if err != nil {
		return inputError(err)
	}
	report := newReport(opt, b.Kind == builder.Docker)
	if opt.SkipExisting {
		if images, err = report.skipExisting(ctx, images); err != nil {
			return err
		}
	}
	jobs, err := newJobs(opt, file, contexts, args, images, b.Kind == builder.Docker)
	if err != nil {
		return inputError(err)
	}
	files := staticfs.NewFS()
	files.Add(file.name, &types.Stat{Mode: 0o644}, file.data)
	contexts.mounts[localDockerfile] = files
	results := b.Run(ctx, builder.SessionOptions{
		Attachables: attachables,
		LocalMounts: contexts.mounts,
		OCIStores:   contexts.stores,
	}, jobs, display)
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
	return fmt.Errorf("there is no %s here; without one, build arguments must give everything (see samforge build --help):\n%w", llbgen.Filename, err)
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
	return nil
}

func newJobs(opt Options, file buildFile, contexts *contexts, args map[string]string, images []image, inEngine bool) ([]builder.Job, error) {
	var jobs []builder.Job
	for _, i := range images {
		entries, err := exports(opt, i, len(images) > 1, inEngine)
		if err != nil {
			return nil, err
		}
		job, err := newJob(opt, file, contexts, args, i, entries)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// attachables are what the builder may ask the client for: credentials from
// the Docker config, secrets and SSH agents.
func attachables(opt Options) ([]session.Attachable, error) {
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

func builderPlatform(b *builder.Builder) ocispecs.Platform {
	if p := b.Workers[0].Platforms; len(p) > 0 {
		return p[0]
	}
	return platforms.DefaultSpec()
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
