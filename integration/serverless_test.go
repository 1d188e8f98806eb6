package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

const (
	serverlessPlugin = "docker.io/harness/serverless-plugin:1.1.0-beta-base-image"
	pythonBase       = "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415"
	node20           = "public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712"
)

// newServerlessBed starts a test bed with the stand-ins of one pair.
func newServerlessBed(t *testing.T, options testenv.Options) *bed {
	t.Helper()
	b := newBed(t, options)
	var plugins []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := testenv.PluginImage(t.Context(), testenv.PluginOptions{Kind: "serverless", Version: "1.1.0-beta", Arch: arch})
		must(t, err)
		plugins = append(plugins, image)
	}
	b.push(serverlessPlugin, plugins...)
	b.base(pythonBase, "python3.12", "amd64", "arm64")
	b.base(node20, "nodejs20.x", "amd64", "arm64")
	b.Registry.Reset()
	return b
}

// pairFile writes a build file of one pair.
func pairFile(t *testing.T, runtime, node, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(path, []byte(`kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {version: 3.39.0}
`+more+`runtimes:
  - {image: '`+runtime+`', node: '`+node+`'}
`), 0o600))
	return path
}

// The image without the framework: the runtime's, the node image's language
// runtime, and the kit. Nothing is executed for it.
func TestServerlessBase(t *testing.T) {
	t.Parallel()
	b := newServerlessBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	lines := b.build("-f", pairFile(t, pythonBase, node20, ""), "--repo", b.repo("ci/sls"), "--target", "base",
		"--platform", "linux/amd64,linux/arm64", "--push").ok(t)
	if want := b.repo("ci/sls:python3.12-1.1.0-beta@"); !strings.HasPrefix(lines[0], want) {
		t.Fatalf("stdout is %q, want a line that begins with %s", lines, want)
	}
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" && p.Repository == "ecr/sam/build-python3.12" {
			t.Errorf("%s of the runtime image was pulled", p.Digest)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		base, err := b.Registry.ReadImage(t.Context(), pythonBase, "linux/"+arch)
		must(t, err)
		node, err := b.Registry.ReadImage(t.Context(), node20, "linux/"+arch)
		must(t, err)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/"+arch)
		must(t, err)
		for name, want := range node.Files {
			if !strings.HasPrefix(name, "/var/lang/") || want.Type == '5' {
				continue
			}
			if got := image.Files[name]; got.Mode != want.Mode || got.Size != want.Size {
				t.Errorf("%s is %+v, in the node image %+v", name, got, want)
			}
		}
		if len(image.Layers) != len(base.Layers)+4 {
			t.Errorf("%d layers were added, want 4", len(image.Layers)-len(base.Layers))
		}
		c := image.Config
		if !slices.Equal(c.Entrypoint, []string{"/opt/harness/scripts/serverless-plugin.sh"}) || len(c.Cmd) != 0 || c.User != "root" {
			t.Errorf("entrypoint %q, command %q, user %q", c.Entrypoint, c.Cmd, c.User)
		}
		if !slices.ContainsFunc(c.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=/var/lang/bin:/opt/bin:") }) {
			t.Errorf("the environment is %q", c.Env)
		}
	}
}

// Where the runtime image is the node image, nothing is copied out of it, and
// nothing of it is pulled.
func TestServerlessBaseOfNodeItself(t *testing.T) {
	t.Parallel()
	b := newServerlessBed(t, testenv.Options{})
	lines := b.build("-f", pairFile(t, node20, node20, ""), "--repo", b.repo("ci/sls"), "--target", "base", "--push").ok(t)
	b.wantNothingPulled(node20)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	for _, h := range image.History {
		if strings.HasPrefix(h.CreatedBy, "node from") {
			t.Errorf("the history tells of a node stage: %s", h.CreatedBy)
		}
	}
}
