package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/llbgen"
)

// Check returns what the rules find in the build file; no builder is needed.
// Mistakes are an [*InputError], beside the results where they are in the build
// file.
func Check(opt Options) (*lint.LintResults, error) {
	if _, err := readContext(opt); err != nil {
		return nil, inputError(err)
	}
	file, err := readFile(opt)
	if err != nil {
		return nil, inputError(fmt.Errorf("read the build file: %w", err))
	}
	lockfile, _, err := readLockfile(opt, file)
	if err != nil {
		return nil, inputError(err)
	}
	results := frontend.Lint(file.name, file.data, lockfile, withMirrors(opt))
	if results.Error == nil {
		return results, nil
	}
	var text strings.Builder
	results.PrintErrorTo(&text, nil)
	return results, inputError(missingFile(errors.New(text.String()), opt, file))
}

// refuseFindings tells once, and before a builder is needed, what each image of
// a build file that allows no findings would fail by.
func refuseFindings(plan *llbgen.Plan, targets []llbgen.Target) error {
	err := plan.Violation(plan.Findings(targets...))
	var found *llbgen.LintError
	if errors.As(err, &found) {
		return fmt.Errorf("%w\n%w", found.Findings, err)
	}
	return err
}
