package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out, err := execute("completion", shell)
		if err != nil || !strings.Contains(out, "samforge") || !strings.Contains(out, "__complete") {
			t.Errorf("%s: %v\n%.200s", shell, err, out)
		}
	}
}

// complete returns the proposals for a command line whose last word is being typed, without the
// descriptions.
func complete(t *testing.T, words ...string) string {
	t.Helper()
	out, err := execute(append([]string{"__completeNoDesc"}, words...)...)
	if err != nil {
		t.Fatal(err)
	}
	values, directive, _ := strings.Cut(out, ":")
	if !strings.HasPrefix(directive, "4\n") {
		t.Errorf("%q: the shell also completes files: %s", words, out)
	}
	return strings.Join(strings.Fields(values), " ")
}

func TestFlagsAreCompleted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, llbgen.Filename)
	if err := os.WriteFile(file, []byte(checkFile), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("kind: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"build", "-f", file, "--target", ""}, "java17.al2023"},
		{[]string{"plan", dir, "--target", ""}, "java17.al2023"},
		{[]string{"build", "-f", file, "--no-cache-filter", "base,"}, "base,java17.al2023"},
		{[]string{"build", "-f", wrong, "--target", ""}, ""},
		{[]string{"build", "-f", "-", "--target", ""}, ""},
		{[]string{"bake", "--platform", ""}, "linux/amd64 linux/arm64"},
		{[]string{"lock", "--platform", "linux/arm64,"}, "linux/arm64,linux/amd64"},
		{[]string{"build", "--progress", ""}, "auto tty plain rawjson quiet"},
		{[]string{"check", "--verify", ""}, "static full off"},
		{[]string{"init", "--kind", ""}, strings.Join(llbgen.KindNames(), " ") + " application"},
		{[]string{"check", "--format", ""}, "text json"},
		{[]string{"runtimes", "--format", ""}, "table markdown json"},
		{[]string{"graph", "--format", ""}, "svg dot mermaid json"},
	} {
		if got := complete(t, test.words...); got != test.want {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
}
