package builder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKeeperEndsAsItsProgramDoes(t *testing.T) {
	for _, tc := range []struct {
		script string
		code   int
	}{
		{"exit 0", 0},
		{"exit 3", 3},
		{"kill -KILL $$", 137},
	} {
		cmd := keeperCommand(t.TempDir(), []string{"/bin/sh", "-c", tc.script})
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != tc.code {
			t.Errorf("%s: got %v, want %d", tc.script, err, tc.code)
		}
	}
	out, err := keeperCommand(t.TempDir(), []string{"/no/such/buildkitd"}).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/no/such/buildkitd: no such file") {
		t.Errorf("a program that does not exist: %v\n%s", err, out)
	}
}

// What a killed program has mounted in the folder that the keeper removes stays where it is.
func TestKeeperRemovesNothingThroughMounts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root mounts")
	}
	state, run := t.TempDir(), filepath.Join(t.TempDir(), "run")
	kept := filepath.Join(state, "kept")
	if err := errors.Join(os.WriteFile(kept, []byte("x"), 0o600), os.Mkdir(run, 0o700)); err != nil {
		t.Fatal(err)
	}
	script := "mkdir " + run + "/mount && mount --bind " + state + " " + run + "/mount && test -e " + run + "/mount/kept && kill -KILL $$"
	cmd := keeperCommand(run, []string{"/bin/sh", "-c", script})
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 137 {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(run); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

func TestKeeperKillsWhatItsProgramLeavesBehind(t *testing.T) {
	sleep := sleepDir(t) + "/sleep " + aLongTime(os.Getpid())
	left := "/sleep\x00" + aLongTime(os.Getpid())
	// The last one ignores every signal that can be ignored, and has a child in its own session.
	script := sleep + ` & ( trap '' TERM HUP INT; setsid ` + sleep + ` & ` + sleep + ` ) & `

	begin := time.Now()
	if err := keeperCommand(t.TempDir(), []string{"/bin/sh", "-c", script + "sleep 0.1"}).Run(); err != nil {
		t.Error(err)
	}
	if found := processes(t, left); len(found) != 0 {
		t.Errorf("left after the keeper has ended: %q", found)
	}

	terminated := keeperCommand(t.TempDir(), []string{"/bin/sh", "-c", "trap 'exit 7' TERM; " + script + "wait"})
	if err := terminated.Start(); err != nil {
		t.Fatal(err)
	}
	for len(processes(t, left)) < 3 && time.Since(begin) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	if err := terminated.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = terminated.Wait()
	if code := terminated.ProcessState.ExitCode(); code != 7 {
		t.Errorf("a program that handles SIGTERM itself: got %d", code)
	}
	if found := processes(t, left); len(found) != 0 {
		t.Errorf("left after the keeper has ended: %q", found)
	}
}
