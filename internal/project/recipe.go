package project

import (
	"context"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// recipe is a samforge.yaml as the origin of targets.
type recipe struct {
	plan    *llbgen.Plan
	targets []llbgen.Target // the selected ones, in the order of the file
}

var _ origin = recipe{}

func (r recipe) violation() error { return r.plan.Violation(r.plan.Findings(r.targets...)) }

func (r recipe) warnings() []*source.Diagnostic { return r.plan.WarningsOf(r.targets...) }

func (r recipe) readsContext() bool { return r.plan.ReadsContext() }

func (r recipe) hasRepo() bool { return r.plan.File.Repo != "" }

func (r recipe) followsBuilder() bool {
	for _, t := range r.targets {
		if t.Arch == "" {
			return true
		}
	}
	return false
}

func (r recipe) place(p *Project, asked []ocispecs.Platform, fallback ocispecs.Platform) ([]Target, error) {
	now, err := buildTime(p.Args)
	if err != nil {
		return nil, err
	}
	by := llbgen.Tagger{Template: p.opt.TagTemplate, Time: now}
	var targets []Target
	for _, t := range r.targets {
		target, err := r.target(p, t, asked, fallback, by)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// target returns the target of a build file with its platforms and references.
func (r recipe) target(p *Project, of llbgen.Target, asked []ocispecs.Platform, fallback ocispecs.Platform, by llbgen.Tagger) (Target, error) {
	t := Target{
		Name:    of.Name,
		Entry:   of.Entry(),
		Refs:    p.opt.Tags,
		Base:    of.Base,
		fields:  map[string]string{"Target": of.Name, "Runtime": of.Runtime, "Variant": of.Variant},
		project: p,
		image:   recipeImage{r.plan, of},
	}
	for _, group := range []string{of.Runtime, of.Variant} {
		if group != "" {
			t.Groups = append(t.Groups, group)
		}
	}
	if of.Node != "" {
		t.Pulls = []string{of.Node}
	}
	var err error
	if t.Platforms, err = r.plan.Platforms(of, asked, fallback); err != nil {
		return t, err
	}
	if len(t.Refs) == 0 && r.hasRepo() {
		err = t.name(func(arch string) (string, error) { return r.plan.Reference(of, arch, by) })
	}
	return t, err
}

// recipeImage is an image of a samforge.yaml.
type recipeImage struct {
	plan *llbgen.Plan
	of   llbgen.Target
}

func (i recipeImage) describe(ctx context.Context, opt llbgen.Options) (*llbgen.Image, error) {
	return i.plan.Build(ctx, i.of, opt)
}

func (recipeImage) explain(error) string { return "" }

func (i recipeImage) diagnose(message string) *source.Diagnostic {
	at := *i.plan.Place(i.of)
	at.Message = message
	return &at
}

func (recipeImage) build(f frontend.Frontend) gateway.BuildFunc { return f.Build }
