package project

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// Check returns the findings of the rules about the build file. It needs no builder. The error is
// an [*InputError] for mistakes. If the mistakes are in the build file, the results come with it.
func Check(ctx context.Context, opt Options) (*lint.LintResults, error) {
	if _, err := readContext(opt); err != nil {
		return nil, BadInput(err)
	}
	file, err := readFile(ctx, opt)
	if err != nil {
		return nil, BadInput(err)
	}
	if samtemplate.IsTemplate(file.Data) {
		return nil, BadInput(errTemplate(file))
	}
	lockfile, err := file.parseLock()
	if err != nil {
		return nil, BadInput(err)
	}
	results := frontend.Lint(file.Name, file.Data, lockfile, buildArgs(opt, file))
	if results.Error == nil {
		return results, nil
	}
	var text strings.Builder
	results.PrintErrorTo(&text, nil)
	return results, BadInput(missingFile(errors.New(text.String()), opt, file))
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
