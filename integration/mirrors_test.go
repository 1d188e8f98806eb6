package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
)

// The air-gapped example with its mirror on loopback, through both doors. The builder has no
// mirrors of its own, and its proxy does not answer, so it cannot reach anything outside loopback.
func TestAirGappedExample(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	d, err := testenv.StartBuildkitd(t.Context(), testenv.BuildkitdOptions{Proxy: "http://127.0.0.1:1"})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	x := b.newBuildx(d)
	data, err := os.ReadFile(example(t, "airgapped/samforge.yaml"))
	must(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, llbgen.Filename)
	text := strings.NewReplacer(
		"mirror.example.com/samforge-frontend:1", x.frontend,
		"mirror.example.com", b.Registry.Addr,
		"https://files.example.com/harness/", b.Files.URL()+"/",
		"https://npm.example.com/", npm.URL()+"/",
	).Replace(string(data))
	must(t, os.WriteFile(file, []byte(text), 0o600))

	lines := run(t, nil, "build", "--builder", d.Addr, "--progress", "plain", "-f", file, "--repo", b.repo("ci/gapped"), "--push").ok(t)
	x.docker(dir, "buildx", "build", "-f", llbgen.Filename, "--target", "python3.12-serverless", "--push", "-t", b.repo("ci/gapped:buildx"), ".").ok(t)
	if got, want := b.digestOfTag(b.repo("ci/gapped:buildx")), digestOf(lines[len(lines)-1]); got != want {
		t.Errorf("docker buildx gives %s, the command %s", got, want)
	}
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64", testenv.OnlyLayers(1000))
	must(t, err)
	if base := image.Config.Labels["org.opencontainers.image.base.name"]; base != testenv.Python312Base {
		t.Errorf("the base is called %s", base)
	}
}
