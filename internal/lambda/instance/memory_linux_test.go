package instance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Processes with too much memory are ended while an invocation runs, and while none does.
func TestWatchMemory(t *testing.T) {
	t.Parallel()
	for name, rests := range map[string]bool{"an invocation runs": false, "none runs": true} {
		t.Run(name, func(t *testing.T) {
			// tail keeps the last line, which ends with the input.
			cmd := exec.Command("sh", "-c", "(head -c 64M /dev/zero; cat) | tail -n 1 >/dev/null")
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			killed := make(chan struct{})
			m := watchMemory(32<<20, uint32(os.Getuid()), uint32(os.Getgid()), func() { close(killed) })
			m.rest()
			if !rests {
				m.wake()
			}
			if want := map[bool]time.Duration{false: memoryInterval, true: restInterval}[rests]; m.interval() != want {
				t.Errorf("the interval is %s, want %s", m.interval(), want)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-killed
			if !m.exceeded() || m.most() <= 32<<20 {
				t.Errorf("exceeded: %t, at most %d bytes", m.exceeded(), m.most())
			}
			m.stop()
			if err := input.Close(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Where the kernel has no lists of children, or hides a process that runs, memory cannot be watched.
func TestShows(t *testing.T) {
	t.Parallel()
	running := exec.Command("cat")
	input, err := running.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	self, pid := os.Getpid(), running.Process.Pid
	if !shows(procFolder, self, pid) {
		t.Error("the kernel shows a process, but was not seen to")
	}
	noLists, hidden := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(noLists, fmt.Sprint(pid)), 0o755); err != nil {
		t.Fatal(err)
	}
	task := filepath.Join(hidden, fmt.Sprint(self), "task", fmt.Sprint(self))
	if err := os.MkdirAll(task, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(task, "children"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, proc := range map[string]string{"no lists": noLists, "a hidden process": hidden} {
		if shows(proc, self, pid) {
			t.Errorf("%s: it counts as shown", name)
		}
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := running.Wait(); err != nil {
		t.Fatal(err)
	}
	if !shows(hidden, self, pid) {
		t.Error("a process that has ended counts as hidden")
	}
}
