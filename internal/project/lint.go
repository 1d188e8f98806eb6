package project

import (
	"slices"
	"time"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// violation returns one error for the findings of rules, if the template allows none.
func (a *application) violation() error {
	found := slices.DeleteFunc(a.warnings(), func(d *source.Diagnostic) bool { return d.Rule == "" })
	if len(found) == 0 || !a.template.RefusesFindings() {
		return nil
	}
	return &llbgen.LintError{Findings: found}
}

// warnings are those about the functions that are built. Docker's own rules are not among them: the
// Dockerfile frontend warns in a build.
func (a *application) warnings() []*source.Diagnostic {
	warnings := a.template.WarningsAbout(a.functions...)
	known, _ := catalogue.Load() // it is embedded, and tested
	for _, f := range a.functions {
		warnings = append(warnings, f.Lint()...)
		warnings = append(warnings, a.lintDockerfile(f, known)...)
	}
	return frontend.Distinct(warnings)
}

// lintDockerfile returns what the rules find in the Dockerfile of a function, if that is on this
// machine and can be read.
func (a *application) lintDockerfile(f *samtemplate.Function, known *catalogue.Catalogue) []*source.Diagnostic {
	if a.project.Context.Address != "" {
		return nil
	}
	name := dockerfileOf(f)
	data, err := userfile.Read(name, frontend.MaxContextFile)
	if err != nil {
		return nil
	}
	return f.LintDockerfile(samtemplate.Dockerfile{
		Name: name, Data: data, Args: a.project.Args, Catalogue: known, Today: time.Now(),
		IsPinned: func(ref string) bool {
			_, replaced := a.project.contextOf(ref)
			return replaced || frontend.IsLocked(a.lock, ref)
		},
	})
}
