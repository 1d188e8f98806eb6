// Package integration tests samforge from the outside: the real command, on a
// real buildkitd and a real registry, with stand-ins for the images that cannot
// be pulled.
package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

var samforgeBinary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "samforge-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		samforgeBinary = filepath.Join(dir, "samforge")
		if out, err := exec.Command("go", "build", "-o", samforgeBinary, "../cmd/samforge").CombinedOutput(); err != nil {
			panic("build samforge: " + string(out))
		}
		return m.Run()
	}())
}

// bed is a test bed with the stand-ins of the SAM examples in its registry.
type bed struct {
	*testenv.Env
	t *testing.T
}

const goTemplatePath = "/public/shared/tools/go-template/release/v0.4.15/bin/linux/"

// newBed starts a test bed.
func newBed(t *testing.T, options testenv.Options) *bed {
	t.Helper()
	b := &bed{Env: testenv.New(t, options), t: t}
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
	_, err := b.Registry.Push(b.t.Context(), ref, images...)
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

// mirrors are the flags that lead samforge to the stand-ins.
func (b *bed) mirrors() []string {
	flags := []string{"--mirror", "https://app.harness.io/=" + b.Files.URL() + "/"}
	for from, to := range b.Registry.Mirrors() {
		flags = append(flags, "--mirror", from+"="+to)
	}
	return flags
}

// repo is a repository in the bed's registry.
func (b *bed) repo(name string) string { return b.Registry.Addr + "/" + name }

// build runs `samforge build` on the bed's buildkitd.
func (b *bed) build(args ...string) result {
	b.t.Helper()
	args = append([]string{"build", "--progress", "plain", "--builder", b.Buildkitd.Addr}, args...)
	return run(b.t, append(args, b.mirrors()...)...)
}

// result is what a run of samforge left.
type result struct {
	stdout, stderr string
	code           int
}

// run runs samforge in an empty folder.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return runContext(t.Context(), t, args...)
}

func runContext(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, samforgeBinary, args...)
	cmd.Dir = t.TempDir()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run samforge: %v", err)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
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
