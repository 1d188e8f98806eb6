package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// judge checks how a run ended, and remembers what it says it pushed.
func (s *soak) judge(r *run) {
	if what := s.wrong(r); what != "" {
		s.problem("run %d (%s on the %s builder%s) %s; exit code %d, it printed %q and said:\n%s",
			r.number, r.name, r.builder.name, r.faultNames(), what, r.code, r.printed(), lastLines(r.stderr.String(), 25))
	}
	_ = os.Remove(r.output)
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(r.stdout.String()) {
		tag, digest, ok := strings.Cut(strings.TrimSpace(line), "@")
		if ok && strings.HasPrefix(tag, r.repository+":") && !r.writes {
			s.checks.pushed = append(s.checks.pushed, pushed{r.number, tag, digest})
		}
	}
}

// wrong says what is wrong about how a run ended, or returns "".
func (s *soak) wrong(r *run) string {
	log := r.stderr.String()
	_, err := os.Stat(r.output)
	written := !errors.Is(err, fs.ErrNotExist)
	switch {
	case r.endless:
		return fmt.Sprintf("did not end within %s", limit)
	case strings.Contains(log, "panic: ") || strings.Contains(log, "\ngoroutine "):
		return "panicked"
	case r.signalled(syscall.SIGKILL) && r.code == -1:
		return ""
	case r.asWithoutFaults() && written != r.writes:
		return fmt.Sprintf("left a file: %t, without faults %t", written, r.writes)
	case r.asWithoutFaults() && len(r.hits) == 0 && !strings.Contains(log, r.says):
		return fmt.Sprintf("did not say %q", r.says)
	case r.asWithoutFaults():
		return ""
	case r.code == 0:
		return fmt.Sprintf("printed something else than without faults, %q", r.prints)
	case len(r.hits) == 0:
		return "failed without a fault"
	case r.code != 1:
		return "ended with a wrong exit code"
	case written:
		return "failed and left a file"
	case r.message() == "":
		return "did not say why it failed"
	case strings.Contains(log, "\nnothing was pushed") && s.manifests(r) > 0:
		return fmt.Sprintf("says that nothing was pushed, and the registry has accepted %d manifests", s.manifests(r))
	}
	return ""
}

func (r *run) asWithoutFaults() bool { return r.code == r.exit && r.printed() == r.prints }

// signalled reports whether a fault sent the signal to the run.
func (r *run) signalled(sent syscall.Signal) bool {
	return slices.ContainsFunc(r.hits, func(f *fault) bool { return f.victim == r && f.sent == sent })
}

// manifests returns how many manifests the registry has accepted from a run whose repository is its
// own.
func (s *soak) manifests(r *run) (accepted int) {
	_, repository, _ := strings.Cut(r.repository, "/")
	if strings.Contains(repository, "shared") {
		return 0
	}
	for what, times := range s.registry.Accepted() {
		if strings.HasPrefix(what, repository+":") {
			accepted += times
		}
	}
	return accepted
}

// outcome says how a run ended, for the table.
func (r *run) outcome() string {
	switch {
	case r.asWithoutFaults():
		return "as without faults"
	case r.signalled(syscall.SIGKILL) && r.code == -1:
		return "killed"
	}
	return "failed"
}

func (r *run) faultNames() string {
	names := ""
	for _, f := range r.hits {
		names += ", " + f.name
	}
	return names
}

// message returns what the run said last, from the line on that says why it failed.
func (r *run) message() string {
	text := strings.TrimSpace(r.stderr.String())
	if at := strings.LastIndex("\n"+text, "\nsamforge: "); at >= 0 {
		return text[at:]
	}
	return ""
}

// differing are the parts of messages that differ from run to run.
var differing = []struct {
	find *regexp.Regexp
	put  string
}{
	{variable, "ID"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`unix:///\S*samforge-testenv-\d+/(?:relay|buildkitd).sock`), "BUILDER"},
	{regexp.MustCompile(`(?m)^(?:time=.*|  \S+@DIGEST)\n?`), ""}, // lines of a builder's log, and what was pushed
	{regexp.MustCompile(`^samforge: [^:]+: lost`), "samforge: TARGETS: lost"},
	{regexp.MustCompile(`/\S*samforge-(?:testenv|soak)-\d+/`), "/"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
	{regexp.MustCompile(`(?:run|shared)-\d+`), "run-N"},
	{regexp.MustCompile(`\b[a-z0-9]{25}\b`), "ID"},
	{regexp.MustCompile(`uploads/[-0-9A-Za-z_?=&%.]+`), "uploads/ID"},
	{regexp.MustCompile(`\d+`), "N"},
}

// distinct returns the messages of failed runs, the most frequent first, with their counts.
func (s *soak) distinct() (messages []string, counts map[string]int) {
	counts = map[string]int{}
	for _, r := range s.runs {
		if r.outcome() != "failed" {
			continue
		}
		text := r.message()
		for _, d := range differing {
			text = d.find.ReplaceAllString(text, d.put)
		}
		if counts[text] == 0 {
			messages = append(messages, text)
		}
		counts[text]++
	}
	slices.SortStableFunc(messages, func(a, b string) int { return counts[b] - counts[a] })
	return messages, counts
}

// lastLines returns the last lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
