package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// judge checks how a run ended.
func (s *soak) judge(r *run) {
	bad := func(what string) {
		s.problem("run %d (%s on the %s builder%s) %s; exit code %d, it printed %q and said:\n%s", r.number, r.name, r.builder.name, r.faultNames(), what, r.code, r.printed(), lastLines(r.stderr.String(), 30))
	}
	log := r.stderr.String()
	switch {
	case r.endless:
		bad(fmt.Sprintf("did not end within %s", limit))
	case strings.Contains(log, "panic: ") || strings.Contains(log, "\ngoroutine "):
		bad("panicked")
	case r.code == r.task.code && r.printed() == r.task.printed:
	case r.sent == syscall.SIGKILL && r.code == -1:
	case r.code == 0 || r.code == r.task.code && r.code != 1:
		bad(fmt.Sprintf("printed something else than without faults, %q", r.task.printed))
	case len(r.hits) == 0:
		bad("failed without a fault")
	case r.code != 1:
		bad("ended with a wrong exit code")
	case r.message() == "":
		bad("did not say why it failed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(r.stdout.String()) {
		if tag, digest, ok := strings.Cut(strings.TrimSpace(line), "@sha256:"); ok && strings.HasPrefix(tag, s.relay.Addr+"/") {
			s.pushed = append(s.pushed, pushed{r.number, tag, "sha256:" + digest})
		}
	}
}

// outcome says how a run ended, for the table.
func (r *run) outcome() string {
	switch {
	case r.code == r.task.code && r.printed() == r.task.printed:
		return "as without faults"
	case r.sent == syscall.SIGKILL && r.code == -1:
		return "killed"
	}
	return "failed"
}

func (r *run) faultNames() string {
	names := ""
	for _, f := range r.hits {
		names += ", " + f.kind.name
	}
	return names
}

// Parts of messages that differ from run to run.
var differing = []struct {
	find *regexp.Regexp
	put  string
}{
	{variable, "ID"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`unix:///\S*samforge-testenv-\d+/`), "unix:///"},
	{regexp.MustCompile(`/\S*samforge-(?:testenv|soak)-\d+/`), "/"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
	{regexp.MustCompile(`run-\d+`), "run-N"},
	{regexp.MustCompile(`[a-z0-9]{25}`), "ID"},
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
