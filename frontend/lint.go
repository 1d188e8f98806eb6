package frontend

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// maxFindings is how many findings of one file are reported. BuildKit splits the file anew to print
// each.
const maxFindings = 1000

// Lint returns what the rules find in a build file today, or the mistakes in it, in the form of
// BuildKit's findings in a Dockerfile. The lock file may be nil.
func Lint(filename string, data []byte, lockfile *llbgen.Lockfile, args map[string]string) *lint.LintResults {
	results := &lint.LintResults{
		Warnings: []lint.Warning{}, // [] in JSON, and not null
		Sources:  []*pb.SourceInfo{{Filename: filename, Language: "yaml", Data: []byte(credentials.Mask(string(data)))}},
	}
	plan, err := llbgen.Load(filename, data, args, llbgen.Today(time.Now()), llbgen.WithLockfile(lockfile))
	if err != nil {
		results.Error = buildError(err)
		return results
	}
	findings := plan.Findings(plan.Targets...)
	if n := len(findings); n > maxFindings {
		findings = append(findings[:maxFindings], &source.Diagnostic{Message: fmt.Sprintf("%d more findings are not shown", n-maxFindings)})
	}
	for _, d := range findings {
		w := lint.Warning{RuleName: d.Rule, Detail: message(d), Location: &pb.Location{Ranges: d.Ranges()}}
		if d.Rule != "" {
			rule := llbgen.RuleNamed(d.Rule)
			w.Description, w.URL = rule.Description, rule.URL()
		}
		results.Warnings = append(results.Warnings, w)
	}
	return results
}

// buildError returns err with the places of the mistakes in the build file, the only source.
func buildError(err error) *lint.BuildError {
	var mistakes source.Diagnostics
	if !errors.As(err, &mistakes) {
		return &lint.BuildError{Message: err.Error()}
	}
	var summaries []string
	var ranges []*pb.Range
	for _, m := range mistakes {
		summaries = append(summaries, m.Summary())
		ranges = append(ranges, m.Ranges()...)
	}
	return &lint.BuildError{Message: strings.Join(summaries, "\n"), Location: pb.Location{Ranges: ranges}}
}

// message returns the text of a warning to show with its line. It names a build argument, which has
// no line.
func message(d *source.Diagnostic) string {
	if d.Arg != "" {
		return "build argument " + d.Arg + ": " + d.Message
	}
	return d.Message
}

// warning returns d as a build sends it. A finding of a rule has the form of the Dockerfile
// frontend.
func warning(d *source.Diagnostic) (string, client.WarnOpts) {
	opts := client.WarnOpts{Range: d.Ranges()}
	if d.Rule == "" {
		return message(d), opts
	}
	rule := llbgen.RuleNamed(d.Rule)
	opts.Level = 1
	opts.Detail = [][]byte{[]byte(rule.Description)}
	opts.URL = rule.URL()
	return linter.LintFormatShort(d.Rule, message(d), d.Line), opts
}
