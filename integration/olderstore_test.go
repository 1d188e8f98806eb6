package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Docker 20.10 keeps images in its older store, which has one platform an image.
func TestOlderStoreOfDocker(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
	b.plugin("docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image", "amd64", "arm64")
	file := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(file, []byte("kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}\nruntimes:\n  - {image: "+testenv.Node22Base+"}\n"), 0o600))
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	env := append(b.env, "DOCKER_HOST="+engine.Host, "BUILDKIT_HOST=docker://")
	if r := run(t, env, "doctor"); r.code != 0 || !strings.Contains(r.stdout, "warning  builder: ") || !strings.Contains(r.stdout, "containerd-snapshotter") {
		t.Errorf("doctor ends with %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	r := run(t, env, append([]string{"build", "--progress", "plain", "--push", "--repo", b.repo("ci/sam"), "--platform", "linux/amd64,linux/arm64", "-f", file}, b.mirrors()...)...)
	if r.code != 1 || !strings.Contains(r.stderr, "where an image has one platform: name one with --platform") {
		t.Errorf("a build for two platforms ends with %d:\n%s", r.code, r.stderr)
	}
	if n := strings.Count(r.stderr, "has no MergeOp"); n != 1 {
		t.Errorf("the warning comes %d times:\n%s", n, r.stderr)
	}
}
