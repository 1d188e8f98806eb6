package integration

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// A builder that is lost while some images of a bake file are built, and wait for the others, ends the
// step: nothing is pushed.
func TestPluginBakeLosesTheBuilder(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.pushTools(b.Registry.Addr + "/base/tools:1")
	dir := checkout(t, map[string]string{"app": "app\n", "docker-bake.hcl": `
group "default" { targets = ["quick", "slow"] }
target "quick" {
  dockerfile-inline = "FROM scratch\nCOPY app /\n"
  tags              = ["` + b.repo("quick") + `:1"]
}
target "slow" {
  dockerfile-inline = "FROM ` + b.Registry.Addr + `/base/tools:1\nRUN echo is-running; sleep 600\n"
  tags              = ["` + b.repo("slow") + `:1"]
}
`})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, samforgeBinary, "plugin")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BUILDKIT_HOST="+b.Buildkitd.Addr, "DOCKER_CONFIG="+t.TempDir(), "PLUGIN_BAKE_FILE=docker-bake.hcl")
	log := &watched{text: "is-running", seen: b.Buildkitd.Kill}
	cmd.Stderr = log
	err := cmd.Run()
	if ctx.Err() != nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "slow: lost the connection") {
		t.Errorf("exit code %d, %v, %v:\n%s", cmd.ProcessState.ExitCode(), err, ctx.Err(), log.String())
	}
}

// watched calls seen when it has a line with text in it, which is no line of a Dockerfile.
type watched struct {
	syncBuffer
	text string
	seen func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.syncBuffer.Write(p)
	if w.seen != nil && strings.Contains(w.String(), " "+w.text+"\n") {
		seen := w.seen
		w.seen = nil
		seen()
	}
	return n, err
}
