package project

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/distribution/reference"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// Project is a build file with everything that a command line adds to it.
type Project struct {
	File File
	// Args are the build arguments, including those of the mirrors.
	Args map[string]string
	// Context is the build context, and Contexts are the named ones.
	Context  Context
	Contexts []NamedContext
	// Mirrors are other places to fetch images and downloads from.
	Mirrors llbgen.Mirrors

	opt     Options
	plan    *llbgen.Plan
	targets []llbgen.Target // the selected ones, in the order of the build file
}

// Load reads the build file, its lock file and the options. Mistakes are an [*InputError].
func Load(ctx context.Context, opt Options) (*Project, error) {
	p, err := load(ctx, opt)
	if err != nil {
		return nil, BadInput(err)
	}
	return p, nil
}

func load(ctx context.Context, opt Options) (*Project, error) {
	p := &Project{opt: opt}
	var err error
	if p.Context, err = readContext(opt); err != nil {
		return nil, err
	}
	if p.Contexts, err = namedContexts(opt.BuildContexts); err != nil {
		return nil, err
	}
	if p.File, err = readFile(ctx, opt); err != nil {
		return nil, err
	}
	p.Args = buildArgs(opt, p.File)
	lockfile, err := p.File.parseLock()
	if err != nil {
		return nil, err
	}
	p.plan, err = llbgen.Load(p.File.Name, p.File.Data, p.Args, llbgen.Today(time.Now()), llbgen.WithLockfile(lockfile))
	if err != nil {
		return nil, missingFile(err, opt, p.File)
	}
	p.Mirrors = p.plan.File.Mirrors
	if p.targets, err = selectTargets(p.plan, opt.Targets); err != nil {
		return nil, err
	}
	// The builder's own platform is not known yet, and hardly ever matters for a mistake.
	_, err = p.place(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	return p, err
}

// buildArgs returns the build arguments for a build file, from the options, the mirrors and the
// environment.
func buildArgs(opt Options, file File) map[string]string {
	args := maps.Clone(opt.BuildArgs)
	if args == nil {
		args = map[string]string{}
	}
	if opt.Environment != nil {
		found := llbgen.EnvironmentArgs(file.Data, args, opt.Environment)
		maps.Copy(args, found)
		if len(found) > 0 && opt.Taken != nil {
			opt.Taken(found)
		}
	}
	if len(opt.Mirrors) > 0 {
		name, value := llbgen.MirrorsArg(opt.Mirrors)
		args[name] = value
	}
	return args
}

// CheckReference returns an error unless ref is an image reference in lower case.
func CheckReference(ref string) error {
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return fmt.Errorf("%s is not an image reference: %w", ref, err)
	}
	return nil
}

// ReadsContext reports whether building reads files of the build context.
func (p *Project) ReadsContext() bool { return p.plan.ReadsContext() }

// HasRepo reports whether the targets have references to push to.
func (p *Project) HasRepo() bool { return len(p.opt.Tags) > 0 || p.plan.File.Repo != "" }

// FollowsBuilder reports whether the platform of some target depends on the builder's own platform.
func (p *Project) FollowsBuilder() bool {
	if len(p.opt.Platforms) > 0 {
		return false
	}
	for _, t := range p.targets {
		if t.Arch == "" {
			return true
		}
	}
	return false
}

// Targets returns the selected targets with their platforms and references. fallback is the
// platform to use if a base image has several.
func (p *Project) Targets(fallback ocispecs.Platform) ([]Target, error) {
	targets, err := p.place(fallback)
	if err != nil {
		return nil, BadInput(err)
	}
	return targets, nil
}

func (p *Project) place(fallback ocispecs.Platform) ([]Target, error) {
	if len(p.opt.Tags) > 0 && len(p.targets) > 1 {
		return nil, fmt.Errorf("--tag names one image, and %d targets are selected: choose one with --target, or use --tag-template", len(p.targets))
	}
	for _, tag := range p.opt.Tags {
		if err := CheckReference(tag); err != nil {
			return nil, fmt.Errorf("--tag %w", err)
		}
		if strings.Contains(tag, "@") {
			return nil, fmt.Errorf("--tag %s has a digest: leave it out, the build determines it", tag)
		}
	}
	asked, err := ParsePlatforms(p.opt.Platforms)
	if err != nil {
		return nil, err
	}
	now, err := buildTime(p.Args)
	if err != nil {
		return nil, err
	}
	by := llbgen.Tagger{Template: p.opt.TagTemplate, Time: now}
	var targets []Target
	taken := map[string]string{}
	for _, t := range p.targets {
		target, err := p.target(t, asked, fallback, by)
		if err != nil {
			return nil, err
		}
		for _, ref := range target.References() {
			if other, ok := taken[ref]; ok {
				return nil, fmt.Errorf("targets %s and %s give the same tag %s: one image would overwrite the other; use another --tag-template, or build one of them", other, t.Name, ref)
			}
			taken[ref] = t.Name
		}
		targets = append(targets, target)
	}
	return targets, nil
}
