package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
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

	opt    Options
	origin origin
}

// origin is what the targets of a project come from.
type origin interface {
	// place returns the selected targets with their platforms and references: see [Project.Targets].
	place(p *Project, asked []ocispecs.Platform, fallback ocispecs.Platform) ([]Target, error)
	// violation is [Project.Violation] without the lines.
	violation() error
	warnings() []*source.Diagnostic
	readsContext() bool
	// hasRepo reports whether the file itself names a repository.
	hasRepo() bool
	followsBuilder() bool
	// combinations returns every way to build the targets: see [Project.Combinations].
	combinations(p *Project, asked []ocispecs.Platform) ([]Combination, error)
	// names are the names that --target accepts: the targets and their groups.
	names() []string
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
	p, err := read(ctx, opt)
	if err != nil {
		return nil, err
	}
	if samtemplate.IsTemplate(p.File.Data) {
		return p, p.loadTemplate()
	}
	p.Args = buildArgs(opt, p.File)
	lockfile, err := p.File.parseLock()
	if err != nil {
		return nil, err
	}
	if locked, err := llbgen.Locked(p.Args); err == nil && locked && lockfile == nil && p.File.LockPath != "" {
		return nil, llbgen.ErrNoLockfile(filepath.Base(p.File.LockPath))
	}
	plan, err := llbgen.Load(p.File.Name, p.File.Data, p.Args, append(opt.loadOptions(ctx), llbgen.WithLockfile(lockfile))...)
	if err != nil {
		return nil, missingFile(nameFlags(err, opt.Flags), opt, p.File)
	}
	p.Mirrors = plan.File.Mirrors
	selected, err := selectTargets(plan, opt.Targets)
	if err != nil {
		return nil, err
	}
	p.origin = recipe{plan, selected}
	// The builder's own platform is not known yet, and hardly ever matters for a mistake.
	_, err = p.place(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	return p, err
}

// read reads the build file, and finds the contexts.
func read(ctx context.Context, opt Options) (p *Project, err error) {
	p = &Project{opt: opt}
	if p.Context, err = readContext(opt); err != nil {
		return nil, err
	}
	if p.Contexts, err = namedContexts(opt.BuildContexts); err != nil {
		return nil, err
	}
	if p.File, err = readFile(ctx, opt); err != nil {
		return p, err
	}
	if data := p.File.Data; len(opt.TemplateFlags) > 0 && len(data) > 0 && !samtemplate.IsTemplate(data) {
		return p, fmt.Errorf("--%s is for a SAM template, and %s is none: leave it out", opt.TemplateFlags[0], p.File.Name)
	}
	return p, nil
}

// loadTemplate interprets the build file as a SAM template.
func (p *Project) loadTemplate() error {
	p.Args = functionArgs(p.opt)
	app, err := p.loadApplication()
	if err != nil {
		return err
	}
	if err := app.loadLock(p); err != nil {
		return err
	}
	_, err = p.place(ocispecs.Platform{})
	return err
}

// buildArgs returns the build arguments for a build file, from the options, the mirrors and the
// environment.
func buildArgs(opt Options, file File) map[string]string {
	args := maps.Clone(opt.BuildArgs)
	if args == nil {
		args = map[string]string{}
	}
	if opt.Repo != "" {
		args["TARGET_REPO"] = opt.Repo
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

// nameFlags makes mistakes in build arguments that were given by a flag name the flag.
func nameFlags(err error, flags map[string]string) error {
	var mistakes source.Diagnostics
	if errors.As(err, &mistakes) {
		for _, mistake := range mistakes {
			mistake.Arg = cmp.Or(flags[mistake.Arg], mistake.Arg)
		}
	}
	return err
}

// CheckReference returns an error unless ref is an image reference in lower case.
func CheckReference(ref string) error {
	if scheme, rest, ok := strings.Cut(ref, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		host = host[strings.LastIndexByte(host, '@')+1:] // without a user and a password
		return fmt.Errorf("%s is not an image reference: leave %s:// out, as in %s", ref, scheme, strings.TrimSuffix(host+"/"+path, "/"))
	}
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return fmt.Errorf("%s is not an image reference: %w", ref, err)
	}
	return nil
}

// alike reports whether two targets of one tag are made from the same, or may be: that is not known
// yet.
func (p *Project) alike(a, b Target) bool {
	if a.Inputs == nil || b.Inputs == nil {
		return p.TagsSayInputs()
	}
	return a.Inputs.Digest() == b.Inputs.Digest()
}

// IsTemplate reports whether the build file is a SAM template.
func (p *Project) IsTemplate() bool {
	_, ok := p.origin.(*application)
	return ok
}

// Template returns the SAM template that the project comes from; nil if it comes from none.
func (p *Project) Template() *samtemplate.Template {
	if app, ok := p.origin.(*application); ok {
		return app.template
	}
	return nil
}

// ReadsContext reports whether building reads files of the build context.
func (p *Project) ReadsContext() bool { return p.origin.readsContext() }

// HasRepo reports whether the targets have references to push to.
func (p *Project) HasRepo() bool { return len(p.opt.Tags) > 0 || p.origin.hasRepo() }

// FollowsBuilder reports whether the platform of some target depends on the builder's own platform.
func (p *Project) FollowsBuilder() bool {
	return len(p.opt.Platforms) == 0 && p.origin.followsBuilder()
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
	targets, err := p.origin.place(p, asked, fallback)
	if err != nil {
		return nil, err
	}
	if len(p.opt.Tags) > 0 && len(targets) > 1 {
		return nil, fmt.Errorf("--tag names one image, and %d targets are selected: choose one with --target, or use --tag-template", len(targets))
	}
	taken := map[string]Target{}
	for _, target := range targets {
		for _, ref := range target.References() {
			other, ok := taken[ref]
			if ok && !p.alike(other, target) {
				return nil, fmt.Errorf("targets %s and %s give the same tag %s: one image would overwrite the other; use another --tag-template, or build one of them", other.Name, target.Name, ref)
			}
			taken[ref] = target
		}
	}
	return targets, nil
}
