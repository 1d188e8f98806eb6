package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in place of a file is refused at once, and samforge does not wait for its other end. Only
// the build file may be a pipe, and waiting for it ends at the first Ctrl-C.
func TestPipesInPlaceOfFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe := filepath.Join(folder, "samforge.lock")
	must(t, syscall.Mkfifo(pipe, 0o600))
	data, err := os.ReadFile(example(t, "sam/samforge.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "samforge.yaml"), data, 0o600))
	for name, args := range map[string][]string{
		"the lock file of check": {"check", folder},
		"the lock file of lock":  {"lock", folder},
		"the lock file of build": {"build", folder},
		"the metadata":           {"build", "-f", example(t, "sam/samforge.yaml"), "--metadata-file", pipe},
	} {
		r := run(t, nil, args...)
		if r.code != 2 || !strings.Contains(r.stderr, "pipe") {
			t.Errorf("%s: exit code %d, want 2 and a mention of the pipe:\n%s", name, r.code, r.stderr)
		}
	}

	interruptAt(t, pipe, start(t, nil, "check", "-f", pipe))
}

// Ctrl-C ends the wait for a credential helper that hangs.
func TestCredentialHelperThatHangs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	// The helper outlives samforge, and would keep its standard error open.
	must(t, os.WriteFile(filepath.Join(folder, "docker-credential-own"), []byte("#!/bin/sh\nexec 2>/dev/null\nread line <"+pipe+"\n"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(`{"credsStore": "own"}`), 0o600))
	env := []string{"DOCKER_CONFIG=" + folder, "PATH=" + folder + ":" + os.Getenv("PATH")}
	interruptAt(t, pipe, start(t, env, "plan", "-f", example(t, "sam/samforge.yaml")))
}

// interruptAt sends Ctrl-C to a samforge that waits for a pipe, and checks that it ends.
func interruptAt(t *testing.T, pipe string, p *process) {
	t.Helper()
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the pipe is read
	must(t, err)
	defer writer.Close()
	must(t, p.cmd.Process.Signal(os.Interrupt))
	if r := p.wait(t); r.code != 1 || !strings.Contains(r.stderr, "cancelled") {
		t.Errorf("exit code %d, want 1 and that it was cancelled:\n%s", r.code, r.stderr)
	}
}
