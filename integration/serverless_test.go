package integration

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

const serverlessPlugin = testenv.ServerlessPlugin

const cdkPlugin = "docker.io/harness/aws-cdk-plugin:1.0.0-base"

// newServerlessBed starts a test bed with the stand-ins of the recommended pairs, the plugins that
// are copied into them, and an npm registry.
func newServerlessBed(t *testing.T, options testenv.Options, standIns testenv.ServerlessOptions) (*bed, *testenv.NPMRegistry) {
	t.Helper()
	return newServerlessBedUntil(t, t, options, standIns)
}

// newServerlessBedUntil is newServerlessBed for a bed that ends with the cleanups of until.
func newServerlessBedUntil(t *testing.T, until testing.TB, options testenv.Options, standIns testenv.ServerlessOptions) (*bed, *testenv.NPMRegistry) {
	t.Helper()
	b := newBedUntil(t, until, options)
	for ref, plugin := range map[string]testenv.PluginOptions{
		serverlessPlugin: {Kind: "serverless", Version: "1.1.0-beta"},
		cdkPlugin:        {Kind: "cdk", Version: "1.0.0"},
	} {
		var images []v1.Image
		for _, plugin.Arch = range []string{"amd64", "arm64"} {
			image, err := testenv.PluginImage(t.Context(), plugin)
			must(t, err)
			images = append(images, image)
		}
		b.push(ref, images...)
	}
	bases, err := testenv.ServerlessBases(t.Context(), standIns)
	must(t, err)
	must(t, b.Registry.PublishAll(bases))
	npm, err := testenv.StartNPMRegistry(t.Context())
	must(t, err)
	until.Cleanup(func() {
		if err := npm.Close(); err != nil {
			until.Errorf("stopping the npm registry: %v", err)
		}
	})
	b.Registry.Reset()
	return b, npm
}

// pairFile writes a build file for one pair.
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

// cdkFile writes a build file of CDK images for some runtimes, with one node image. npm installs
// one package for them, and 611 for the framework of pairFile.
func cdkFile(t *testing.T, node string, runtimes ...string) string {
	t.Helper()
	file := "kind: cdk\nplugin: {image: harness/aws-cdk-plugin:1.0.0-base, version: 1.0.0}\nruntimes:\n"
	for _, runtime := range runtimes {
		file += fmt.Sprintf("  - {image: '%s', node: '%s'}\n", runtime, node)
	}
	path := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(path, []byte(file), 0o600))
	return path
}

// pulledFrom returns the layers that were fetched from a repository.
func (b *bed) pulledFrom(repository string) (digests []string) {
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" && p.Repository == repository {
			digests = append(digests, p.Digest)
		}
	}
	return digests
}

// The image without the framework has the runtime's files, the node image's language runtime, and
// the kit. Nothing is executed for it.
func TestServerlessBase(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}}, testenv.ServerlessOptions{})
	lines := b.build("-f", pairFile(t, testenv.Python312Base, testenv.Lambda20Base, ""), "--repo", b.repo("ci/sls"), "--target", "base",
		"--platform", "linux/amd64,linux/arm64", "--push").ok(t)
	if want := b.repo("ci/sls:python3.12-1.1.0-beta@"); !strings.HasPrefix(lines[0], want) {
		t.Fatalf("stdout is %q, want a line that begins with %s", lines, want)
	}
	if pulled := b.pulledFrom("ecr/sam/build-python3.12"); len(pulled) > 0 {
		t.Errorf("layers of the runtime image were pulled: %s", pulled)
	}
	// The node image was pulled, and its first layer is one that the runtime image has too.
	if uploaded, err := b.Registry.UploadedOf(t.Context(), testenv.Python312Base); err != nil || uploaded > 0 {
		t.Errorf("%d layers of the runtime image were sent back to their registry (%v), want all mounted", uploaded, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		base, err := b.Registry.ReadImage(t.Context(), testenv.Python312Base, "linux/"+arch)
		must(t, err)
		node, err := b.Registry.ReadImage(t.Context(), testenv.Lambda20Base, "linux/"+arch)
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

// If the runtime image is the node image, nothing is copied from it, and nothing of it is pulled.
func TestServerlessBaseOfNodeItself(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	lines := b.build("-f", pairFile(t, testenv.Node20Base, testenv.Node20Base, ""), "--repo", b.repo("ci/sls"), "--target", "base", "--push").ok(t)
	b.wantNothingPulled(testenv.Node20Base)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64", testenv.OnlyLayers(1000))
	must(t, err)
	for _, h := range image.History {
		if strings.HasPrefix(h.CreatedBy, "node from") {
			t.Errorf("the history mentions a node stage: %s", h.CreatedBy)
		}
	}
	r := b.build("-f", pairFile(t, testenv.Node20Base, testenv.Node20Base, ""), "--repo", b.repo("ci/sls"), "--target", "base", "--push",
		"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:1.1.2-beta-base-image")
	b.wantFailure(r, "plugin image docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image has no /opt/harness/")
}

// smoke runs the programs of a deployment step: every program of the image, and the framework on a
// small service.
const smoke = `
for program in "serverless --version" "sls --version" "node --version" "npm --version" "docker --version" "go-template --version"; do
  echo "$program: $($program 2>&1 | head -n 1)"
done
python3 -c 'import ssl, sys; print("ssl:", ssl.OPENSSL_VERSION.split()[0])'
node -e 'require("child_process").execFileSync("python3", ["-c", "import ssl"]); console.log("child of node: ok")'
echo 'console.log("fork of node: ok")' >forked.js
node -e 'require("child_process").fork("./forked.js")'
mkdir service && cd service
cat >serverless.yml <<'END'
service: smoke
frameworkVersion: '3'
provider: {name: aws, runtime: python3.11}
functions: {hello: {handler: handler.hello}}
END
echo 'def hello(event, context): return {}' >handler.py
SLS_TELEMETRY_DISABLED=1 SLS_NOTIFICATIONS_MODE=off serverless package >/dev/null
ls -d .serverless/smoke.zip
`

// The framework works in both layouts. In the isolated one it works beside a Python that the node
// image's OpenSSL would break.
func TestServerlessImageRuns(t *testing.T) {
	t.Parallel()
	for layout, standIns := range map[string]testenv.ServerlessOptions{
		"merged":   {},
		"isolated": {NodeOpenSSL: "trixie"},
	} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			b, npm := sharedBed(t)
			if standIns != (testenv.ServerlessOptions{}) {
				b, npm = newServerlessBed(t, testenv.Options{}, standIns)
			}
			file := pairFile(t, testenv.Python312Base, testenv.Node20Base, "node: {layout: "+layout+"}\n")
			lines := b.build("-f", file, "--repo", b.repo("ci/sls"), "--target", "serverless", "--push",
				"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/").ok(t)
			b.wantTimes(testenv.Python312Base, lines[0], "amd64", time.Unix(315532800, 0))
			output, err := b.inside(b.Buildkitd, lines[0], "PATH=$PATH:/opt/harness/client-tools\n"+smoke)
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			for _, want := range []string{
				"serverless --version: Framework Core: 3.39.0", "sls --version: Framework Core: 3.39.0", "node --version: v20.", "npm --version: 10.",
				"docker --version: Docker version 28.5.2", "go-template --version: version=v0.4.15", "ssl: OpenSSL",
				"child of node: ok", "fork of node: ok", ".serverless/smoke.zip",
			} {
				if !strings.Contains(output, want) {
					t.Errorf("the output does not say %q", want)
				}
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

var npmStep = regexp.MustCompile(`(?m)^#(\d+) \[?.*npm ci serverless@3\.39\.0$`)

// steps counts the different steps of plain progress whose name matches.
func steps(progress string, name *regexp.Regexp) int {
	numbers := map[string]bool{}
	for _, match := range name.FindAllStringSubmatch(progress, -1) {
		numbers[match[1]] = true
	}
	return len(numbers)
}

// The nine recommended pairs, eighteen images, in one command: law 3. npm runs once, whatever the
// number of runtimes, and no layer of a SAM image is pulled.
func TestServerlessExample(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	args := []string{"-f", example(t, "serverless/samforge.yaml"), "--platform", "linux/amd64,linux/arm64", "--push",
		"--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}
	r := b.build(append(args, "--repo", b.repo("ci/sls"))...)
	lines := r.ok(t)
	if len(lines) != 3*18 {
		t.Errorf("stdout has %d lines, want an index and two members for each of 18 images:\n%s", len(lines), r.stdout)
	}
	if n := steps(r.stderr, npmStep); n != 1 {
		t.Errorf("npm ran %d times, want once for all images", n)
	}
	for _, base := range testenv.ServerlessRuntimes() {
		repository := "ecr/" + strings.TrimPrefix(strings.Split(base, ":")[0], "public.ecr.aws/")
		if pulled := b.pulledFrom(repository); len(pulled) > 0 {
			t.Errorf("layers of %s were pulled: %s", base, pulled)
		}
		if uploaded, err := b.Registry.UploadedOf(t.Context(), base); err != nil || uploaded > 0 {
			t.Errorf("%d layers of %s were sent back to their registry (%v), want all mounted", uploaded, base, err)
		}
	}
	t.Run("SAM images as node images give the same layers", func(t *testing.T) {
		old, err := filepath.Abs("testdata/serverless-sam-nodes.yaml")
		must(t, err)
		for _, line := range b.build("-f", old, "--platform", "linux/amd64", "--push", "--repo", b.repo("ci/sam"),
			"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/").ok(t) {
			tag, _, _ := strings.Cut(strings.TrimPrefix(line, b.repo("ci/sam")), "@")
			b.wantSameLayers(b.repo("ci/sls")+tag, line, "linux/amd64")
		}
	})
	t.Run("two platforms of a serverless image have their own Node.js and share the framework", func(t *testing.T) {
		var frameworks []string
		for _, arch := range []string{"amd64", "arm64"} {
			base, err := b.Registry.ReadImage(t.Context(), testenv.Python312Base, "linux/"+arch, testenv.OnlyLayers(1000))
			must(t, err)
			image, err := b.Registry.ReadImage(t.Context(), b.repo("ci/sls:python3.12-3.39.0-1.1.0-beta-linux-"+arch), "linux/"+arch,
				testenv.OnlyLayers(len(base.Layers)))
			must(t, err)
			node, err := image.ReadFile("/var/lang/bin/node")
			must(t, err)
			program, err := elf.NewFile(bytes.NewReader(node))
			must(t, err)
			if program.Machine != machines[arch] {
				t.Errorf("node is for %s in the image for %s", program.Machine, arch)
			}
			frameworks = append(frameworks, image.Layers[len(image.Layers)-1].Digest)
		}
		if frameworks[0] != frameworks[1] {
			t.Errorf("the layers of the framework are %s", frameworks)
		}
	})
	t.Run("a second cold build gives the same digests", func(t *testing.T) {
		fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
		again := b.buildOn(fresh, "-f", example(t, "serverless/samforge.yaml"), "--platform", "linux/amd64", "--push", "--repo", b.repo("ci/again"),
			"--target", "base").ok(t) // npm's layer is in TestServerlessLaws
		if len(again) != 9 {
			t.Errorf("%d images, want 9: %v", len(again), again)
		}
		for _, line := range again {
			if first := b.repo("ci/sls") + strings.TrimPrefix(line, b.repo("ci/again")); !slices.Contains(lines, first) {
				t.Errorf("the second time: %s", line)
			}
		}
	})
}

// wantSameLayers fails the test unless two images have the same layers.
func (b *bed) wantSameLayers(one, other, platform string) {
	b.t.Helper()
	var layers [2][]testenv.InspectedLayer
	for n, ref := range []string{one, other} {
		image, err := b.Registry.ReadImage(b.t.Context(), ref, platform, testenv.OnlyLayers(1000))
		must(b.t, err)
		layers[n] = image.Layers
	}
	for n := range min(len(layers[0]), len(layers[1])) {
		if layers[0][n] != layers[1][n] {
			b.t.Errorf("layer %d of %s is %v, of %s %v", n, one, layers[0][n], other, layers[1][n])
		}
	}
	if len(layers[0]) != len(layers[1]) {
		b.t.Errorf("%s has %d layers, %s %d", one, len(layers[0]), other, len(layers[1]))
	}
}
