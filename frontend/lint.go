package frontend

import (
	"fmt"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// maxFindings is how many findings of one file are reported. BuildKit splits the file anew to print
// each.
const maxFindings = 1000

// Lint returns what the rules find in a build file today, or the mistakes in it, in the form of
// BuildKit's findings in a Dockerfile. The lock file may be nil. choose returns the targets that the
// findings are about; nil for all. The options are added to those that say the day and the lock file.
func Lint(filename string, data []byte, lockfile *llbgen.Lockfile, args map[string]string, choose func(*llbgen.Plan) ([]llbgen.Target, error), opts ...llbgen.LoadOption) *lint.LintResults {
	report := NewReport(yamlFile(filename, data))
	opts = append([]llbgen.LoadOption{llbgen.Today(time.Now()), llbgen.WithLockfile(lockfile)}, opts...)
	plan, err := llbgen.Load(filename, data, args, opts...)
	var targets []llbgen.Target
	if err == nil {
		targets = plan.Targets
		if choose != nil {
			targets, err = choose(plan)
		}
	}
	if err != nil {
		report.Fail(err)
		return report.Results
	}
	findings := plan.Findings(targets...)
	if n := len(findings); n > maxFindings {
		findings = append(findings[:maxFindings], &source.Diagnostic{Message: fmt.Sprintf("%d more findings are not shown", n-maxFindings)})
	}
	report.Add(findings)
	return report.Results
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
