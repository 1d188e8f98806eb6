package integration

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// What fails on Lambda fails in samforge invoke. In an engine, behind AWS's emulator, the same functions
// of the same image answer: docs/invoke.md has this table.
func TestLimitsUnderEmulator(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	template := limitedApplication(t, b)
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	run(t, append(b.env, "DOCKER_HOST="+engine.Host), "build", "-q", "--builder", b.Buildkitd.Addr, "-f", template, "--target", "good", "--load", "-t", "limited:1").ok(t)
	for function, c := range map[string]struct{ event, refused, answer string }{
		"writes": {`{}`, "EROFS: read-only file system", `"written"`},
		"reads":  {`{}`, "EACCES: permission denied", `"secret\n"`},
		"fills":  {`{}`, "ENOSPC: no space left on device", `640`},
		"eats":   {`{"megabytes": 400}`, "Runtime.ExitError", `"full"`},
		"sleeps": {`{"milliseconds": 3000}`, "Task timed out after 2.00 seconds", `"awake"`},
	} {
		t.Run(function, func(t *testing.T) {
			event := eventFile(t, c.event)
			if r := b.invoked(template, function, "-e", event); r.code != 1 || !strings.Contains(r.stdout, c.refused) {
				t.Errorf("samforge invoke: exit code %d, stdout %s, want 1 and %s\n%s", r.code, r.stdout, c.refused, r.stderr)
			}
			f, err := engine.StartFunction(t.Context(), "limited:1", testenv.FunctionOptions{Command: []string{"app." + function}, Unlimited: true})
			must(t, err)
			t.Cleanup(func() { must(t, f.Close()) })
			answer, err := f.Invoke(t.Context(), []byte(c.event))
			must(t, err)
			if string(answer) != c.answer {
				t.Errorf("the emulator: got %s, want %s; its log ends with:\n%s", answer, c.answer, f.Log())
			}
		})
	}
}
