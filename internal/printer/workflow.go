package printer

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/containerd/console"
)

// Workflow is the CI system that shows the log that samforge writes to. Empty means none.
type Workflow string

// The CI systems with commands of their own in the log.
const (
	GitHub Workflow = "github" // https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
	GitLab Workflow = "gitlab" // https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
)

// WorkflowIn returns the CI system that an environment is of.
func WorkflowIn(getenv func(string) string) Workflow {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return GitHub
	case getenv("GITLAB_CI") == "true":
		return GitLab
	}
	return ""
}

// command matches what GitHub would read as a command: "::" at the start of a line, and "##[" anywhere.
var command = regexp.MustCompile(`(?m)^(\s*):(:)|##(\[)`)

// harmless returns text, of which nothing is a command to the CI system.
func (w Workflow) harmless(text string) string {
	if w != GitHub || !strings.Contains(text, "::") && !strings.Contains(text, "##[") {
		return text
	}
	return command.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, "##[") {
			return strings.TrimSuffix(found, "##[") + `#\x23[`
		}
		return strings.TrimSuffix(found, "::") + `\x3a:`
	})
}

// Group begins a group of lines that the CI system shows collapsed, and returns a function that ends
// it. On a terminal, and where there is no CI system, it writes nothing.
func Group(out io.Writer, title string) (end func()) {
	f, ok := out.(*File)
	if !ok || f.workflow() == "" {
		return func() {}
	}
	if _, err := console.ConsoleFromFile(f.File); err == nil {
		return func() {}
	}
	if f.workflow() == GitHub {
		fmt.Fprintf(f.File, "::group::%s\n", escapeData(title))
		return func() { fmt.Fprintln(f.File, "::endgroup::") }
	}
	now := time.Now()
	name := fmt.Sprintf("samforge_%d", now.UnixNano()) // unique in the log
	section := func(what, options, title string) {
		fmt.Fprintf(f.File, "\x1b[0Ksection_%s:%d:%s%s\r\x1b[0K%s\n", what, time.Now().Unix(), name, options, title)
	}
	section("start", "[collapsed=true]", title)
	return func() { section("end", "", "") }
}

// Place is a place in a file of the user. The zero value is none.
type Place struct {
	File         string
	Line, Column int // from 1; 0 if they are not known
}

// Annotates reports whether [Error] makes annotations, which have one place each.
func Annotates(out io.Writer) bool {
	f, ok := out.(*File)
	return ok && f.workflow() == GitHub
}

// Error writes an error for people. On GitHub it becomes an annotation, at its place.
func Error(out io.Writer, at Place, text string) {
	if Annotates(out) {
		out.(*File).annotate("error", at, text)
		return
	}
	fmt.Fprintln(out, "samforge: "+text)
}

// annotate writes a command that GitHub shows at a place of the repository, and in the log.
func (f *File) annotate(level string, at Place, text string) {
	properties := "title=samforge"
	if at.File != "" {
		properties += ",file=" + escapeProperty(f.secrets.Line(at.File))
	}
	if at.Line > 0 {
		properties += fmt.Sprintf(",line=%d", at.Line)
	}
	if at.Column > 0 {
		properties += fmt.Sprintf(",col=%d", at.Column)
	}
	fmt.Fprintf(f.File, "::%s %s::%s\n", level, properties, escapeData(f.secrets.Text(text)))
}

// warning matches the lines of [File] that become annotations on GitHub.
var warning = regexp.MustCompile(`^(?:samforge: )?WARNING: (?:([^\s:]+):(\d+):(?:(\d+):)? )?`)

// annotateWarning writes text as an annotation if it is a warning.
func (f *File) annotateWarning(text string) bool {
	found := warning.FindStringSubmatch(text)
	if found == nil || f.workflow() != GitHub {
		return false
	}
	at := Place{File: found[1]}
	_, _ = fmt.Sscan(found[2], &at.Line) // empty if there is no place
	_, _ = fmt.Sscan(found[3], &at.Column)
	f.annotate("warning", at, strings.TrimSpace(text[len(found[0]):]))
	return true
}

func escapeData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func escapeProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(text))
}
