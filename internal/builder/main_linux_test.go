package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/fsutil"
)

// TestMain turns the test binary into a samforge when childEnv is set; see child.
func TestMain(m *testing.M) {
	Keeper()
	if os.Getenv(childEnv) != "" {
		child()
	}
	code := m.Run()
	os.RemoveAll(sleepBin)
	os.Exit(code)
}

const childEnv = "SAMFORGE_BUILDER_TEST_CHILD"

// childReport is the output of a child once its private buildkitd has answered.
type childReport struct {
	OneID bool
	PID   int // of buildkitd, or of the rootlesskit that runs it
	State string
	Run   string
	Ready time.Duration
}

// child starts a private buildkitd, reports it, and runs a step that sleeps for an hour, until it
// is killed.
func child() {
	begin := time.Now()
	b, err := Find(context.Background(), Options{Address: "private://"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	report := childReport{b.oneID != nil, b.daemon.cmd.Process.Pid, b.daemon.state.dir, b.daemon.run, time.Since(begin)}
	_ = json.NewEncoder(os.Stdout).Encode(report)
	d, _ := NewDisplay(os.Stdout, "plain")
	mount, _ := fsutil.NewFS(os.Getenv(childEnv))
	for _, r := range b.Run(context.Background(), SessionOptions{LocalMounts: map[string]fsutil.FS{"tools": mount}}, []Job{sleepJob("a", aLongTime(os.Getppid()))}, d) {
		fmt.Println("ended:", r.Err)
	}
	b.Close()
	os.Exit(0)
}

// toolsDir returns the repository's bin directory; the test fails if a tool is missing.
func toolsDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"buildkitd", "runc", "rootlesskit"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("%v; run `make tools`", err)
		}
	}
	return dir
}

// privateOptions returns options that find a private buildkitd, with its state in a directory of
// the test.
func privateOptions(t *testing.T) Options {
	t.Helper()
	return Options{
		Address: "private://",
		Log:     func(s string) { t.Log(s) },
		Env: environment(map[string]string{
			"PATH":           toolsDir(t) + ":" + os.Getenv("PATH"),
			"XDG_CACHE_HOME": cacheHome(t),
		}),
	}
}

// cacheHome returns a directory outside of the test's own, which only the test's user can enter.
func cacheHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "samforge-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	return dir
}

func startForTest(t *testing.T) *Builder {
	t.Helper()
	b, err := Find(t.Context(), privateOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

var (
	sleepBin  string // the first test that needs it makes it, TestMain removes it
	sleepOnce sync.Once
)

// sleepDir returns a directory with the program that sleepState runs.
func sleepDir(t *testing.T) string {
	t.Helper()
	sleepOnce.Do(func() {
		var err error
		if sleepBin, err = os.MkdirTemp("", "samforge-sleep-"); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(sleepBin, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-o", sleepBin, "./testdata/sleep")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build testdata/sleep: %v\n%s", err, out)
		}
	})
	return sleepBin
}

// sleepSession offers sleepDir as the local source "tools".
func sleepSession(t *testing.T) SessionOptions {
	t.Helper()
	mount, err := fsutil.NewFS(sleepDir(t))
	if err != nil {
		t.Fatal(err)
	}
	return SessionOptions{LocalMounts: map[string]fsutil.FS{"tools": mount}}
}

// sleepState is a step that runs for the given duration.
func sleepState(duration string) llb.State {
	return llb.Scratch().
		File(llb.Copy(llb.Local("tools"), "/sleep", "/sleep")).
		Run(llb.Args([]string{"/sleep", duration}), llb.WithCustomName("sleep "+duration)).Root()
}

// aLongTime returns an hour and a few nanoseconds that no other run of these tests sleeps for, so
// that its processes can be told apart.
func aLongTime(pid int) string { return fmt.Sprintf("1h%dns", pid) }

func sleepJob(name, duration string) Job { return stateJob(name, sleepState(duration)) }

// stateJob solves a state and has no result.
func stateJob(name string, st llb.State) Job {
	return Job{Name: name, Build: func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		def, err := st.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		return c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	}, Opt: client.SolveOpt{}}
}
