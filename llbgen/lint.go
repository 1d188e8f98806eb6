package llbgen

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/source"
)

// Which rules count, and what happens to their findings. A build file says so in its first lines,
// in the syntax of a Dockerfile:
//
//	# check=skip=RuntimeEndOfLife;error=true

// checkArg is the build argument that replaces the check directive, as for a Dockerfile.
const checkArg = "BUILDKIT_DOCKERFILE_CHECK"

// maxRuleNames is the most names in a check directive, several times the number of rules.
const maxRuleNames = 100

// readChecks finds out which rules count.
func (p *Plan) readChecks(data []byte, args map[string]string) {
	found := checkDirectives(data)
	if options, given := args[checkArg]; given {
		found = []checkDirective{{options: options, at: source.Position{Arg: checkArg}}}
	}
	if len(found) == 0 {
		return
	}
	first := found[0]
	if !first.ignored {
		checks, err := linter.ParseLintOptions(first.options)
		if err != nil {
			p.doc.ErrorAt(first.at, "", "%v: write skip=RULE,RULE;experimental=RULE;error=true, or a part of it", err)
			return
		}
		if n := len(checks.SkipRules) + len(checks.ExperimentalRules); n > maxRuleNames {
			p.doc.ErrorAt(first.at, "", "the check directive names %d rules, and at most %d can be named: write skip=all for all", n, maxRuleNames)
			return
		}
		p.checks = *checks
	}
	for _, name := range slices.Concat(p.checks.SkipRules, p.checks.ExperimentalRules) {
		if !slices.Contains(ruleNames(), name) {
			p.find(RuleUnknownRule, p.doc.Diagnostic(first.at, "", "there is no rule %q%s", name, didYouMean(name, ruleNames())))
		}
	}
	for _, d := range found {
		switch {
		case d.ignored:
			p.find(RuleUnknownRule, p.doc.Diagnostic(d.at, "", "this check directive does not count: move it to the comments that begin the file"))
		case d != first:
			p.doc.ErrorAt(d.at, "", "there is a check directive on line %d already: write all in one, as in check=skip=RULE,RULE;error=true", first.at.Line)
		}
	}
}

// checkDirective is a comment that says which rules count.
type checkDirective struct {
	options string
	at      source.Position
	ignored bool // it is not among the comments that begin the file
}

var directive = regexp.MustCompile(`^#[ \t]*(?i:check)[ \t]*=[ \t]*(\S.*?)[ \t\r]*$`)

// checkDirectives returns the check directives of a file. A Dockerfile has its directives before
// any other comment; here they may be below one, since `samforge init` begins a file with comments.
func checkDirectives(data []byte) (all []checkDirective) {
	atTop := true
	for i, line := range source.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		text := strings.TrimSpace(line)
		atTop = atTop && (text == "" || text == "---" || text[0] == '#' || text[0] == '%')
		if found := directive.FindStringSubmatch(line); found != nil {
			all = append(all, checkDirective{options: found[1], at: source.Position{Line: i + 1, Column: 1}, ignored: !atTop})
		}
	}
	return all
}

func didYouMean(word string, known []string) string {
	if near := suggest.Nearest(word, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// wants reports whether a rule counts.
func (p *Plan) wants(rule string) bool {
	if RuleNamed(rule).Experimental {
		return p.checks.ExperimentalAll || slices.Contains(p.checks.ExperimentalRules, rule)
	}
	return !p.skips(rule)
}

func (p *Plan) skips(rule string) bool {
	return p.checks.SkipAll || slices.Contains(p.checks.SkipRules, rule)
}

// findf records what a rule finds about the value at path.
func (p *Plan) findf(rule, path, format string, args ...any) {
	p.find(rule, p.doc.At(path, format, args...))
}

// find records what a rule finds, if the rule counts.
func (p *Plan) find(rule string, d *source.Diagnostic) {
	if d.Rule = rule; p.wants(rule) {
		p.Warnings = append(p.Warnings, d)
	}
}

// Finding returns err, which was seen in a finished image, as a finding of a rule about field. It
// returns nil if the build file skips the rule. An experimental rule counts too, because what was
// seen is certain.
func (p *Plan) Finding(rule, field string, err error) *source.Diagnostic {
	d := p.At(field, err)
	if d.Rule = rule; p.skips(rule) {
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
