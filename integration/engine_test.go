package integration

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/integration/testenv"
)

// Law 5: the BuildKit inside Docker 20.10 has no MergeOp. It gives the same files, with one
// warning, and the engine loads and pushes what it built.
func TestWorkerWithoutMergeOp(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	b.env = append(b.env, "DOCKER_HOST="+engine.Host)
	defer func() {
		if t.Failed() {
			t.Log(engine.Log())
		}
	}()

	dir := t.TempDir()
	export := func(builder, name string) (map[string]string, result) {
		file := filepath.Join(dir, name)
		r := run(t, b.env, append([]string{"build", "--progress", "plain", "--builder", builder, "-f", example(t, "sam/samforge.yaml"),
			"--output", "type=tar,dest=" + file}, b.mirrors()...)...)
		r.ok(t)
		return tarFiles(t, file), r
	}
	want, _ := export(b.Buildkitd.Addr, "buildkitd.tar")
	got, r := export("docker://", "dockerd.tar")
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %q without MergeOp, want %q", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files without MergeOp, want %d", len(got), len(want))
	}
	for _, want := range []string{"has no MergeOp", "WARNING: building on the docker engine at " + engine.Host + ": it has Docker's older image store, which gives images a different digest"} {
		if strings.Count(r.stderr, want) == 0 {
			t.Errorf("no warning says %q:\n%s", want, r.stderr)
		}
	}

	lines := run(t, b.env, b.seedPush("--builder", "docker://")...).ok(t)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	wantKit(t, image, "amd64")
}

// tarFiles describes the files of a tar archive by name: type, mode, owner and content, and the
// time of files that samforge added.
func tarFiles(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	files := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		content, err := digest.FromReader(r)
		must(t, err)
		described := fmt.Sprintf("%c %o %d:%d %s %s", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, content)
		if strings.HasPrefix(h.Name, "opt/harness/") {
			described += " " + h.ModTime.UTC().String()
		}
		files[strings.TrimSuffix(h.Name, "/")] = described
	}
}
