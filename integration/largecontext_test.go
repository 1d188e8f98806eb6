package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// A step sends no byte of what a .dockerignore leaves out, and needs little memory for what it
// sends.
func TestLargeContext(t *testing.T) {
	t.Parallel()
	const (
		mega   = 1 << 20
		small  = 20_000 // files of each sort
		memory = 300 * mega
	)
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{Rootless: true, NoRunc: true}})}
	dir := checkout(t, map[string]string{
		"without": "FROM scratch\nCOPY . /\n", "without.dockerignore": "data/ignored-*\nnode_modules\nvideo\n",
		"with": "FROM scratch\nCOPY . /\n", "with.dockerignore": "data/ignored-*\nnode_modules\n",
	})
	for n := range 5 {
		sparse(t, filepath.Join(dir, fmt.Sprintf("data/ignored-%d", n)), 600*mega)
	}
	sparse(t, filepath.Join(dir, "video"), 600*mega)
	for n := range small {
		for _, folder := range []string{"node_modules", "src"} {
			sparse(t, filepath.Join(dir, folder, strconv.Itoa(n%100), strconv.Itoa(n)), 10)
		}
	}
	for name, want := range map[string]struct{ least, most int64 }{ // bytes that are sent
		"without": {small * 10, 16 * mega},
		"with":    {600 * mega, 616 * mega},
	} {
		t.Run(name+" a large file", func(t *testing.T) {
			address, sent := counted(t, b.Buildkitd.Addr)
			peak := b.peakOfStep(dir, "PLUGIN_DOCKERFILE="+name, "PLUGIN_NO_PUSH=true", "PLUGIN_REPO=app", "BUILDKIT_HOST="+address)
			t.Logf("%d MB were sent, the peak of memory is %d MB", sent.Load()/mega, peak/mega)
			if sent.Load() < want.least || sent.Load() > want.most {
				t.Errorf("%d bytes were sent, want %d to %d", sent.Load(), want.least, want.most)
			}
			if peak == 0 || peak > memory {
				t.Errorf("the step used %d bytes of memory, want at most %d", peak, memory)
			}
		})
	}
}

// sparse makes a file of zeros that takes no room, and its folder.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, nil, 0o644))
	must(t, os.Truncate(path, size))
}

// peakOfStep runs a step that must succeed, and returns the most memory that it had, in bytes.
func (b *bed) peakOfStep(dir string, settings ...string) (peak int64) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), samforgeBinary)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "DOCKER_CONFIG="+b.t.TempDir()), settings...)
	var printed bytes.Buffer
	// The rusage of a process is at least the memory of this one, which it shares until it executes
	// samforge. The progress ends after the last file was sent.
	cmd.Stderr = writer(func(p []byte) {
		peak = max(peak, testenv.MemoryOf(cmd.Process.Pid, "VmHWM"))
		printed.Write(p)
	})
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%v:\n%s", err, printed.String())
	}
	return peak
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// counted returns the address of a builder, and how many bytes are sent to it.
func counted(t *testing.T, builder string) (address string, sent *atomic.Int64) {
	t.Helper()
	sent = &atomic.Int64{}
	count := writer(func(p []byte) { sent.Add(int64(len(p))) })
	return relay(t, builder, func() {}, count), sent
}
