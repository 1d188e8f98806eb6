package rules

import (
	"bytes"
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

// Arg is the build argument that replaces the check directive, as for a Dockerfile.
const Arg = "BUILDKIT_DOCKERFILE_CHECK"

// maxNames is the most names in a check directive, several times the number of rules.
const maxNames = 100

// Choice says which rules count. The zero value has all that are not experimental.
type Choice struct {
	// ReturnAsError is true if a build fails for findings.
	ReturnAsError bool

	config linter.Config
}

// Wants reports whether a rule counts.
func (c Choice) Wants(rule string) bool {
	if Named(rule).Experimental {
		return c.config.ExperimentalAll || slices.Contains(c.config.ExperimentalRules, rule)
	}
	return !c.Skips(rule)
}

// Skips reports whether a rule is turned off.
func (c Choice) Skips(rule string) bool {
	return c.config.SkipAll || slices.Contains(c.config.SkipRules, rule)
}

// Parse reads the value of a check directive.
func Parse(options string) (Choice, error) {
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		return Choice{}, err
	}
	return Choice{config.ReturnAsError, *config}, nil
}

// Read reads the check directive of a file of a sort, or the value of the build argument, which
// replaces it; nil if that was not given. Mistakes are recorded in doc. The findings are those of
// [UnknownRule].
func Read(doc *source.Document, data []byte, file string, arg *string) (c Choice, findings []*source.Diagnostic) {
	all := directives(data)
	if arg != nil {
		all = []directive{{options: *arg, at: source.Position{Arg: Arg}}}
	}
	if len(all) == 0 {
		return c, nil
	}
	first := all[0]
	if !first.ignored {
		var err error
		if c, err = Parse(first.options); err != nil {
			doc.ErrorAt(first.at, "", "%v: write skip=RULE,RULE;experimental=RULE;error=true, or a part of it", err)
			return c, nil
		}
		if n := len(c.names()); n > maxNames {
			doc.ErrorAt(first.at, "", "the check directive names %d rules, and at most %d can be named: write skip=all for all", n, maxNames)
			return c, nil
		}
	}
	find := func(at source.Position, format string, args ...any) {
		d := doc.Diagnostic(at, "", format, args...)
		if d.Rule = UnknownRule; c.Wants(UnknownRule) {
			findings = append(findings, d)
		}
	}
	for _, name := range c.names() {
		switch {
		case slices.Contains(names(file), name):
		case file == Template && arg != nil: // which the Dockerfiles get too, whose rules are Docker's
		case file == Template && Named(name).Name == "":
			find(first.at, "there is no rule %q for SAM templates%s; one of Docker's is skipped in the Dockerfile", name, didYouMean(name, file))
		default:
			find(first.at, "there is no rule %q%s", name, didYouMean(name, file))
		}
	}
	for _, d := range all {
		switch {
		case d.ignored:
			find(d.at, "this check directive does not count: move it to the comments that begin the file")
		case d != first:
			doc.ErrorAt(d.at, "", "there is a check directive on line %d already: write all in one, as in check=skip=RULE,RULE;error=true", first.at.Line)
		}
	}
	return c, findings
}

// names returns the rules that the directive names.
func (c Choice) names() []string {
	return slices.Concat(c.config.SkipRules, c.config.ExperimentalRules)
}

// directive is a comment that says which rules count.
type directive struct {
	options string
	at      source.Position
	ignored bool // it is not among the comments that begin the file
}

var comment = regexp.MustCompile(`^#[ \t]*(?i:check)[ \t]*=[ \t]*(\S.*?)[ \t\r]*$`)

// directives returns the check directives of a file. A Dockerfile has its directives before any
// other comment; here they may be below one, since `samforge init` begins a file with comments.
func directives(data []byte) (all []directive) {
	atTop := true
	for i, line := range source.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		text := strings.TrimSpace(line)
		atTop = atTop && (text == "" || text == "---" || text[0] == '#' || text[0] == '%')
		if found := comment.FindStringSubmatch(line); found != nil {
			all = append(all, directive{options: found[1], at: source.Position{Line: i + 1, Column: 1}, ignored: !atTop})
		}
	}
	return all
}

func didYouMean(name, file string) string {
	if near := suggest.Nearest(name, names(file)); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}
