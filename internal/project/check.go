package project

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// Check returns the findings of the rules about the build file and, for a SAM template, about the
// Dockerfiles of its functions. It needs no builder. The error is an [*InputError] for mistakes. If
// the mistakes are in a file, the results come with it. images looks up the images of Dockerfiles.
func Check(ctx context.Context, opt Options, images *registry.Resolver) (*lint.LintResults, error) {
	p, err := read(ctx, opt)
	if err != nil {
		return nil, BadInput(err)
	}
	if samtemplate.IsTemplate(p.File.Data) {
		return p.checkTemplate(ctx, images)
	}
	if len(opt.BuildContexts) > 0 {
		return nil, BadInput(errNoContexts(p.File))
	}
	lockfile, err := p.File.parseLock()
	if err != nil {
		return nil, BadInput(err)
	}
	results := frontend.Lint(p.File.Name, p.File.Data, lockfile, buildArgs(opt, p.File), func(plan *llbgen.Plan) ([]llbgen.Target, error) {
		return selectTargets(plan, opt.Targets)
	}, opt.loadOptions(ctx)...)
	if results.Error == nil {
		return results, nil
	}
	return results, BadInput(missingFile(errors.New(mistake(results)), opt, p.File))
}

// errNoContexts returns the error of a verb that uses named contexts only for SAM templates.
func errNoContexts(f File) error {
	return fmt.Errorf("--build-context is for a SAM template here, and %s is none: leave it out", f.Name)
}

// mistake returns the mistake of some results, with its lines.
func mistake(results *lint.LintResults) string {
	var text strings.Builder
	results.PrintErrorTo(&text, nil)
	return text.String()
}

// checkTemplate is [Check] for a SAM template.
func (p *Project) checkTemplate(ctx context.Context, images *registry.Resolver) (*lint.LintResults, error) {
	if p.Context.Address != "" {
		return nil, BadInput(errors.New("the Dockerfiles are read on this machine, and the build context is not on it: name a folder, or ask the builder with docker buildx build --call=check"))
	}
	if err := p.loadTemplate(); err != nil {
		report := frontend.NewReport(&pb.SourceInfo{Filename: p.File.Path, Language: "yaml", Data: samtemplate.Shown(p.File.Data)})
		report.Fail(err)
		return report.Results, BadInput(err)
	}
	app := p.origin.(*application)
	report := frontend.TemplateReport(app.template)
	linted, err := p.lintDockerfiles(ctx, app, images)
	if err != nil {
		return nil, BadInput(err)
	}
	var mistakes []string // once each, however many builds a Dockerfile has
	for _, results := range linted {
		report.Merge(results)
		if results.Error != nil && !slices.Contains(mistakes, mistake(results)) {
			mistakes = append(mistakes, mistake(results))
		}
	}
	report.Add(app.warnings())
	if len(p.opt.Targets) == 0 {
		report.Add(app.template.Lint())
	}
	if len(mistakes) > 0 {
		return report.Results, BadInput(errors.New(strings.Join(mistakes, "\n")))
	}
	return report.Results, nil
}

// lintDockerfiles returns what Docker's own rules find, each build once.
func (p *Project) lintDockerfiles(ctx context.Context, app *application, images *registry.Resolver) ([]*lint.LintResults, error) {
	finder := &inputs.Finder{Resolve: resolveWith(images)}
	var builds []inputs.Build
	var names []string
	for _, f := range app.functions {
		build, err := p.buildOf(f, Settings{})
		if err != nil {
			return nil, err
		}
		build.Lock, build.Folder = app.lock, "" // the rules read nothing of it
		if !slices.ContainsFunc(builds, func(other inputs.Build) bool { return reflect.DeepEqual(build, other) }) {
			builds, names = append(builds, build), append(names, dockerfileOf(f))
		}
	}
	linted := make([]*lint.LintResults, len(builds))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(2 * runtime.NumCPU())
	for i, build := range builds {
		eg.Go(func() (err error) {
			linted[i], err = finder.Lint(ctx, build, names[i])
			return err
		})
	}
	return linted, eg.Wait()
}

// Violation returns one error for all findings about the targets if the build file says error=true.
// Otherwise each image would fail by itself.
func (p *Project) Violation() error {
	err := p.origin.violation()
	var found *llbgen.LintError
	if errors.As(err, &found) {
		return BadInput(fmt.Errorf("%w\n%w", found.Findings, err))
	}
	return err
}

// Warnings returns the warnings to show about the targets before they are built.
func (p *Project) Warnings() []*source.Diagnostic { return p.origin.warnings() }
