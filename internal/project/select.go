package project

import (
	"context"
	"slices"

	"github.com/samforge/samforge/llbgen"
)

// selectTargets returns the targets to build, in the order of the build file.
func selectTargets(plan *llbgen.Plan, names []string) ([]llbgen.Target, error) {
	if len(names) == 0 {
		return plan.Targets, nil
	}
	chosen := map[string]bool{}
	for _, name := range names {
		selected, err := plan.Select(name)
		if err != nil {
			return nil, err
		}
		for _, t := range selected {
			chosen[t.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(plan.Targets), func(t llbgen.Target) bool { return !chosen[t.Name] }), nil
}

// TargetNames returns the names that --target accepts for a build file: its targets, and the groups
// that select several of them.
func TargetNames(ctx context.Context, opt Options) ([]string, error) {
	opt.Targets, opt.Tags = nil, nil
	p, err := load(ctx, opt)
	if err != nil {
		return nil, BadInput(err)
	}
	return p.origin.names(), nil
}

func (r recipe) names() []string {
	var names []string
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, t := range r.targets {
		add(t.Name)
	}
	for _, t := range r.targets {
		add(t.Runtime)
		add(t.Variant)
	}
	return names
}
