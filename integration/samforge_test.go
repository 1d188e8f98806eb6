// Package integration tests samforge from the outside: the real command, on a
// real buildkitd and a real registry, with stand-ins for the images that cannot
// be pulled.
package integration

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/integration/testenv"
)

var (
	samforgeBinary string
	testDir        string // of all tests
)

func TestMain(m *testing.M) {
	for _, name := range []string{"GITHUB_ACTIONS", "GITLAB_CI"} { // where the tests run says nothing
		_ = os.Unsetenv(name)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "samforge-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		testDir = dir
		if samforgeBinary, err = testenv.BuildSamforge(dir); err != nil {
			panic(err)
		}
		code := m.Run()
		if !endShared() {
			code = 1
		}
		return code
	}())
}

// bed is a test bed with the stand-ins of the SAM examples in its registry.
type bed struct {
	*testenv.Env
	t      *testing.T
	env    []string // added to samforge's environment
	prefix string   // of the bed's repositories
}

const goTemplatePath = "/public/shared/tools/go-template/release/v0.4.15/bin/linux/"

// newBed starts a test bed. Its builder is rootless, unless the test needs something that only root
// can do. Builders that a test starts in addition are rootful.
func newBed(t *testing.T, options testenv.Options) *bed {
	t.Helper()
	return newBedUntil(t, t, options)
}

// newBedUntil is newBed for a bed that ends with the cleanups of until.
func newBedUntil(t *testing.T, until testing.TB, options testenv.Options) *bed {
	t.Helper()
	options.Buildkitd.Rootless = options.Buildkitd.RootSize == 0
	b := &bed{Env: testenv.New(until, options), t: t}
	for _, arch := range []string{"amd64", "arm64"} {
		binary, err := testenv.Executable(t.Context(), "go-template", arch, "v0.4.15")
		must(t, err)
		b.Files.Add(goTemplatePath+arch+"/go-template", binary)
	}
	b.plugin("docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image", "amd64", "arm64")
	var docker []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := testenv.DockerCLI(t.Context(), testenv.DockerCLIOptions{Version: "28.5.2", Arch: arch})
		must(t, err)
		docker = append(docker, image)
	}
	b.push("docker.io/library/docker:28.5.2-cli", docker...)
	b.base("public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64", "nodejs22.x", "amd64")
	b.Registry.Reset()
	return b
}

func (b *bed) push(ref string, images ...v1.Image) {
	b.t.Helper()
	_, err := b.Registry.Push(ref, images...)
	must(b.t, err)
}

// base publishes a SAM base image for some architectures.
func (b *bed) base(ref, runtime string, archs ...string) {
	b.t.Helper()
	var images []v1.Image
	for _, arch := range archs {
		image, err := testenv.SAMBase(b.t.Context(), testenv.SAMBaseOptions{Runtime: runtime, Arch: arch})
		must(b.t, err)
		images = append(images, image)
	}
	b.push(ref, images...)
}

// plugin publishes a plugin image for some architectures.
func (b *bed) plugin(ref string, archs ...string) {
	b.t.Helper()
	var images []v1.Image
	for _, arch := range archs {
		image, err := testenv.PluginImage(b.t.Context(), testenv.PluginOptions{Kind: "sam", Version: "1.1.2-beta", Arch: arch})
		must(b.t, err)
		images = append(images, image)
	}
	b.push(ref, images...)
}

// mirrors are the flags that point samforge to the stand-ins.
func (b *bed) mirrors() []string {
	flags := []string{"--mirror", "https://app.harness.io/=" + b.Files.URL() + "/"}
	for from, to := range b.Registry.Mirrors() {
		flags = append(flags, "--mirror", from+"="+to)
	}
	return flags
}

// repo returns a repository in the bed's registry.
func (b *bed) repo(name string) string { return b.Registry.Addr + "/" + b.prefix + name }

// build runs `samforge build` on the bed's buildkitd.
func (b *bed) build(args ...string) result {
	b.t.Helper()
	return b.buildOn(b.Buildkitd, args...)
}

// buildOn runs `samforge build` on another buildkitd.
func (b *bed) buildOn(d *testenv.Buildkitd, args ...string) result {
	b.t.Helper()
	args = append([]string{"build", "--progress", "plain", "--builder", d.Addr}, args...)
	return run(b.t, b.env, append(args, b.mirrors()...)...)
}

// everyBlob returns all JSON documents of an image, including attestations.
func (b *bed) everyBlob(ref string) string {
	b.t.Helper()
	parsed, err := name.ParseReference(ref)
	must(b.t, err)
	var text strings.Builder
	add := func(data []byte, err error) {
		must(b.t, err)
		text.Write(data)
	}
	index, err := remote.Index(parsed, remote.WithContext(b.t.Context()))
	must(b.t, err)
	add(index.RawManifest())
	manifest, err := index.IndexManifest()
	must(b.t, err)
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		must(b.t, err)
		add(image.RawManifest())
		add(image.RawConfigFile())
		if m.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue // statements are not in file systems
		}
		layers, err := image.Layers()
		must(b.t, err)
		for _, layer := range layers {
			content, err := layer.Uncompressed()
			must(b.t, err)
			add(io.ReadAll(content))
		}
	}
	return text.String()
}

// login writes a Docker config for samforge with credentials for the bed's registry.
func (b *bed) login(user, password string) {
	b.t.Helper()
	dir := b.t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, b.Registry.Addr, auth)
	must(b.t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600))
	b.env = append(b.env, "DOCKER_CONFIG="+dir)
}

// result is the outcome of a run of samforge.
type result struct {
	stdout, stderr string
	code           int
}

// run runs samforge in an empty folder, without credentials other than those in env.
func run(t *testing.T, env []string, args ...string) result {
	t.Helper()
	r := start(t, env, args...)
	return r.wait(t)
}

// runIn is run in a folder.
func runIn(t *testing.T, env []string, dir string, args ...string) result {
	t.Helper()
	p := command(t, env, args...)
	p.cmd.Dir = dir
	p.start(t)
	return p.wait(t)
}

// process is a running samforge.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr syncBuffer
}

func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := command(t, env, args...)
	p.start(t)
	return p
}

// command returns a samforge that is still to be started.
func command(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(samforgeBinary, args...)}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+p.cmd.Dir)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	must(t, p.cmd.Start())
	t.Cleanup(func() { p.cmd.Process.Kill() })
}

func (p *process) wait(t *testing.T) result {
	t.Helper()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run samforge: %v", err)
	}
	return result{stdout: p.stdout.String(), stderr: p.stderr.String(), code: p.cmd.ProcessState.ExitCode()}
}

// syncBuffer is a buffer that can be read while a process writes to it.
type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown chan struct{} // closed by the next Write; nil if nobody waits for it
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
	return s.b.Write(p)
}

// waitFor returns when the text is there n times.
func (s *syncBuffer) waitFor(t *testing.T, text string, n int) {
	t.Helper()
	for {
		s.mu.Lock()
		if strings.Count(s.b.String(), text) >= n {
			s.mu.Unlock()
			return
		}
		if s.grown == nil {
			s.grown = make(chan struct{})
		}
		grown := s.grown
		s.mu.Unlock()
		waitFor(t, fmt.Sprintf("%q, %d times, in %q", text, n, s.String()), grown)
	}
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// ok fails the test unless samforge succeeded, and returns the lines of stdout.
func (r result) ok(t *testing.T) []string {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("samforge exited with %d:\n%s", r.code, r.stderr)
	}
	return strings.Fields(r.stdout)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "examples", name))
	must(t, err)
	return path
}

// startBuildkitd starts one more buildkitd, with an empty state.
func startBuildkitd(t *testing.T, registry *testenv.Registry, options testenv.BuildkitdOptions) *testenv.Buildkitd {
	t.Helper()
	options.Mirrors = registry.Mirrors()
	d, err := testenv.StartBuildkitd(t.Context(), options)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// digestOf returns the digest of TAG@DIGEST.
func digestOf(line string) string {
	_, digest, _ := strings.Cut(line, "@")
	return digest
}
