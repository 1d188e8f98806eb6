package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goInstalled builds samforge as go install does, without the programs that make build adds.
func goInstalled(t *testing.T, args ...string) (program string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{} // by nothing
	for _, arch := range []string{"amd64", "arm64"} {
		path, err := filepath.Abs("../internal/invoke/programs/instance-" + arch + ".gz")
		must(t, err)
		replace[path] = ""
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	program = filepath.Join(dir, "samforge")
	cmd := exec.CommandContext(t.Context(), "env", append(args, "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "../cmd/samforge")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build samforge: %v\n%s", err, out)
	}
	return program
}

// A samforge from go install sends its own executable to the builder, for its own architecture and
// without cgo.
func TestInvokeOwnProgram(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	ours, arm := goApplication(t, "amd64", "answers"), goApplication(t, "arm64", "answers")
	static := goInstalled(t, "CGO_ENABLED=0", "go", "build", "-trimpath")
	withC := goInstalled(t, "CGO_ENABLED=1", "go", "build")
	for name, c := range map[string]struct {
		program, template string
		code              int
		stdout, stderr    string
	}{
		"static":                   {static, ours, 0, `"did "`, "REPORT"},
		"for another architecture": {static, arm, 1, "", "without the program that runs functions for linux/arm64: build it with make build"},
		"with cgo":                 {withC, ours, 1, "", "CGO_ENABLED=0 go install"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			cmd := exec.CommandContext(t.Context(), c.program, "invoke", "-q", "--builder", b.Buildkitd.Addr, "-t", c.template, "answers")
			cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), b.env...), &stdout, &stderr
			_ = cmd.Run() // its exit code says whether it failed
			if code := cmd.ProcessState.ExitCode(); code != c.code || stdout.String() != c.stdout || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s\nwant: %s", code, c.code, stdout.String(), stderr.String(), c.stderr)
			}
		})
	}
}
