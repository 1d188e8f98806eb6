package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

// LoadUnlocked reads a build file as [Load] does, but without applying its lock file. It returns
// the lock file too, or nil if there is none.
func LoadUnlocked(ctx context.Context, opt Options) (*Project, *llbgen.Lockfile, error) {
	p := &Project{opt: opt}
	var err error
	if p.Context, err = readContext(opt); err != nil {
		return nil, nil, err
	}
	if p.File, err = readFile(ctx, opt); err != nil {
		return nil, nil, err
	}
	if p.File.Data == nil && opt.File == "" {
		return nil, nil, fmt.Errorf("there is no %s in %s: %s", llbgen.Filename, cmp.Or(opt.Context, "this folder"), nearFile(opt))
	}
	if p.File.LockPath == "" || p.File.Data == nil {
		return nil, nil, errors.New("a lock file lies beside a build file: name that with --file")
	}
	lockfile, err := p.File.parseLock()
	if err != nil {
		return nil, nil, err
	}
	if samtemplate.IsTemplate(p.File.Data) {
		if p.Contexts, err = namedContexts(opt.BuildContexts); err != nil {
			return nil, nil, err
		}
		p.Args = functionArgs(opt)
		_, err := p.loadApplication()
		return p, lockfile, err
	}
	if len(opt.BuildContexts) > 0 {
		return nil, nil, errNoContexts(p.File)
	}
	p.Args = buildArgs(opt, p.File)
	plan, err := llbgen.Load(p.File.Name, p.File.Data, p.Args, opt.loadOptions(ctx)...)
	if err != nil {
		return nil, nil, err
	}
	p.Mirrors, p.origin = plan.File.Mirrors, recipe{plan, plan.Targets}
	return p, lockfile, nil
}

// Combination is a target for one platform, with the platform of the builder.
type Combination struct {
	Target            Target
	Platform, Builder ocispecs.Platform
	// Optional is true if the user did not ask for the combination: its image may not exist.
	Optional bool
}

// Combinations returns every way to build the targets. If the options name no platforms, the
// platforms that the base images may have are optional, except the one that a build takes by
// default.
func (p *Project) Combinations() ([]Combination, error) {
	asked, err := ParsePlatforms(p.opt.Platforms)
	if err != nil {
		return nil, err
	}
	return p.origin.combinations(p, asked)
}

func (r recipe) combinations(p *Project, asked []ocispecs.Platform) ([]Combination, error) {
	all := []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	wanted := asked
	if len(asked) == 0 {
		wanted = all
	}
	var found []Combination
	for _, of := range r.targets {
		own, err := r.plan.Platforms(of, nil, all[0])
		if err != nil {
			return nil, err
		}
		for _, platform := range wanted {
			optional := len(asked) == 0 && platform.Architecture != own[0].Architecture
			if _, err := r.plan.Platforms(of, []ocispecs.Platform{platform}, platform); err != nil {
				if optional {
					continue
				}
				return nil, err
			}
			for _, builder := range all {
				found = append(found, Combination{
					Target:   Target{Name: of.Name, project: p, image: recipeImage{r.plan, of}},
					Platform: platform, Builder: builder,
					Optional: optional || builder.Architecture != all[0].Architecture,
				})
			}
		}
	}
	return found, nil
}
