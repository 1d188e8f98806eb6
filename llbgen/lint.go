package llbgen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/source"
)

// readChecks finds out which rules count.
func (p *Plan) readChecks(data []byte, args map[string]string) {
	var options *string
	if value, given := args[rules.Arg]; given {
		options = &value
	}
	var findings []*source.Diagnostic
	p.checks, findings = rules.Read(p.doc, data, rules.BuildFile, options)
	p.Warnings = append(p.Warnings, findings...)
}

func didYouMean(word string, known []string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// findf records what a rule finds about the value at path.
func (p *Plan) findf(rule, path, format string, args ...any) {
	p.find(rule, p.doc.At(path, format, args...))
}

// find records what a rule finds, if the rule counts.
func (p *Plan) find(rule string, d *source.Diagnostic) {
	if d.Rule = rule; p.checks.Wants(rule) {
		p.Warnings = append(p.Warnings, d)
	}
}

// Finding returns err, which was seen in a finished image, as a finding of a rule about field. It
// returns nil if the build file skips the rule. An experimental rule counts too, because what was
// seen is certain.
func (p *Plan) Finding(rule, field string, err error) *source.Diagnostic {
	d := p.At(field, err)
	if d.Rule = rule; p.checks.Skips(rule) {
		return nil
	}
	return d
}

// WarningsOf returns the Warnings, without those about runtimes that are not among the targets.
func (p *Plan) WarningsOf(targets ...Target) []*source.Diagnostic {
	chosen := map[string]bool{}
	for _, t := range targets {
		chosen[t.path] = true
	}
	return slices.DeleteFunc(slices.Clone(p.Warnings), func(d *source.Diagnostic) bool {
		entry, _, _ := strings.Cut(d.Field, ".")
		return strings.HasPrefix(entry, "runtimes[") && !chosen[entry]
	})
}

// Findings returns what is known about the targets before anything is built: their warnings, and
// those of [Plan.Build] that depend on the build file only.
func (p *Plan) Findings(targets ...Target) []*source.Diagnostic {
	findings := append(p.WarningsOf(targets...), p.unverified(targets)...)
	sortByPlace(findings)
	return findings
}

// LintError is the error for findings in a build file that allows none, with error=true in its
// check directive.
type LintError struct {
	Findings source.Diagnostics
}

// Error names the rules, as the Dockerfile frontend does.
func (e *LintError) Error() string {
	var rules []string
	for _, d := range e.Findings {
		rules = append(rules, d.Rule)
	}
	slices.Sort(rules)
	return "lint violation found for rules: " + strings.Join(slices.Compact(rules), ", ")
}

// Violation returns a [*LintError] if the build file says error=true and there are findings of
// rules among the warnings.
func (p *Plan) Violation(warnings []*source.Diagnostic) error {
	findings := slices.DeleteFunc(slices.Clone(warnings), func(d *source.Diagnostic) bool { return d.Rule == "" })
	if !p.checks.ReturnAsError || len(findings) == 0 {
		return nil
	}
	return &LintError{findings}
}

// sortByPlace puts warnings in the order of the build file.
func sortByPlace(warnings []*source.Diagnostic) {
	slices.SortStableFunc(warnings, func(a, b *source.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field))
	})
}
