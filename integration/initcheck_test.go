package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// What init writes is right at once: after the lock that it suggests, check finds nothing. So are the
// examples.
func TestInitIsGreen(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64", "arm64")
	}
	dir := t.TempDir()
	files := map[string]string{"samforge.yaml": filepath.Join(dir, "init", "samforge.yaml")}
	must(t, os.Mkdir(filepath.Dir(files["samforge.yaml"]), 0o755))
	wrote := run(t, b.env, "init", "-f", files["samforge.yaml"], "--kind", "sam", "--runtime", matrixBases["python3.12"],
		"--plugin", "harness/aws-sam-plugin:1.1.2-beta-base-image", "--plugin-version", "1.1.2-beta")
	if wrote.ok(t); !strings.Contains(wrote.stderr, "samforge lock") {
		t.Errorf("init does not suggest the lock: %s", wrote.stderr)
	}
	for _, name := range []string{"sam/samforge.yaml", "sam/matrix.yaml"} {
		data, err := os.ReadFile(example(t, name))
		must(t, err)
		files[name] = filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(files[name]), 0o755))
		must(t, os.WriteFile(files[name], data, 0o600))
	}
	for name, file := range files {
		run(t, b.env, append([]string{"lock", "-f", file}, b.mirrors()...)...).ok(t)
		if r := run(t, b.env, "check", "-f", file); r.code != 0 || r.stdout != "Check complete, no warnings found.\n" {
			t.Errorf("%s: check ends with %d and says\n%s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}
