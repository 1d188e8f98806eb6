package instance

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// What processes share counts once: a shell and three that were forked from it have the text of one.
func TestSharedMemory(t *testing.T) {
	t.Parallel()
	const text, shells = 16 << 20, 4
	cmd := exec.Command("sh", "-c", `x=$(head -c 16M /dev/zero | tr "\0" x); for n in 1 2 3; do (echo; read wait <&3) & done; echo; read wait <&3; wait`)
	input, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{input}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range shells { // each of them waits now
		lines.Scan()
	}
	pids := append(descendants(cmd.Process.Pid), cmd.Process.Pid)
	var all int64
	for _, pid := range pids {
		all += resident(pid)
	}
	s := sharedMemory{uid: os.Getuid(), gid: os.Getgid()}
	if got := s.of(pids); len(pids) != shells || all < shells*text || got < text || got > all/2 {
		t.Errorf("%d processes: %d bytes, and %d with what they share", len(pids), got, all)
	}
	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
}
