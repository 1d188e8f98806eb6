package instance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

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
