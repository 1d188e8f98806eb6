package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// The inputs of the published pipeline, and the sizes of their stand-ins.
const (
	pipelineBase = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64"
	goTemplate   = "/public/shared/tools/go-template/release/v0.4.5/bin/linux/amd64/go-template"

	pluginSize     = 20 << 20
	dockerSize     = 40 << 20
	goTemplateSize = 6 << 20
)

// bench is the test bed of the sections. Images are pulled from and pushed to the same registry.
type bench struct {
	runs     int
	baseSize int64 // compressed
	dir      string
	registry *testenv.Registry
	files    *testenv.Files
	samforge string
	claims   []claim
	figures  []figure
}

// start starts the servers and publishes what every section needs.
func (b *bench) start(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the rootful buildkitd and debootstrap need root: run this as root")
	}
	if b.samforge, err = testenv.Tool("samforge"); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "samforge-bench-"); err != nil {
		return err
	}
	if b.registry, err = testenv.StartRegistry(ctx, testenv.RegistryOptions{}); err != nil {
		return err
	}
	if b.files, err = testenv.StartFiles(ctx); err != nil {
		return err
	}
	b.say("making the plugin image, the Docker CLI image and go-template")
	binary, err := testenv.Executable(ctx, "go-template", "amd64", "v0.4.5")
	if err != nil {
		return err
	}
	b.files.Add(goTemplate, testenv.Pad(binary, goTemplateSize))
	plugin, err := testenv.PluginImage(ctx, testenv.PluginOptions{Kind: "sam", Version: "1.1.2-beta", Arch: "amd64", BinarySize: pluginSize})
	if err != nil {
		return err
	}
	if _, err := b.registry.Push(testenv.SAMPlugin, plugin); err != nil {
		return err
	}
	docker, err := testenv.DockerCLI(ctx, testenv.DockerCLIOptions{Version: "28.5.2", Arch: "amd64", Size: dockerSize})
	if err != nil {
		return err
	}
	_, err = b.registry.Push(testenv.DockerCLIImage, docker)
	return err
}

// publish makes and publishes a stand-in for a SAM build image.
func (b *bench) publish(ctx context.Context, ref, runtime, samVersion string, size int64) error {
	image, err := testenv.SAMBase(ctx, testenv.SAMBaseOptions{Runtime: runtime, Arch: "amd64", SAMVersion: samVersion, Size: size})
	if err != nil {
		return err
	}
	_, err = b.registry.Push(ref, image)
	return err
}

func (b *bench) close() error {
	var errs []error
	if b.files != nil {
		errs = append(errs, b.files.Close())
	}
	if b.registry != nil {
		errs = append(errs, b.registry.Close())
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// say prints progress on stderr.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// stateSize limits a buildkitd's state, which is in memory: creating a file takes ten times as long
// on one disk as on another, and every row creates tens of thousands.
const stateSize = 16 << 30

// onFreshBuildkitd runs f with a buildkitd that has an empty state. What f measures does not
// include its start or its end.
func (b *bench) onFreshBuildkitd(ctx context.Context, options testenv.BuildkitdOptions, f func(*testenv.Buildkitd) error) (err error) {
	options.Mirrors = b.registry.Mirrors()
	if !options.Rootless {
		options.RootSize = stateSize
	}
	d, err := testenv.StartBuildkitd(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := f(d); err != nil {
		return fmt.Errorf("%w; buildkitd's log ends with:\n%s", err, tail(d.Log(), 5))
	}
	return nil
}

// result is the outcome of a program's run.
type result struct {
	wall   time.Duration // of the whole process
	stdout string
	stderr string
}

// command runs a program in an empty directory and without credentials. First it writes the page
// cache to disk, so that leftovers of earlier runs are not written while this one is measured.
func (b *bench) command(ctx context.Context, env []string, program string, args ...string) (result, error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	return b.commandIn(ctx, dir, env, program, args...)
}

func (b *bench) commandIn(ctx context.Context, dir string, env []string, program string, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "DOCKER_CONFIG="+b.dir), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	syscall.Sync()
	begin := time.Now()
	err := cmd.Run()
	r := result{wall: time.Since(begin), stdout: stdout.String(), stderr: stderr.String()}
	if err != nil {
		return r, fmt.Errorf("%s: %w; it said:\n%s", filepath.Base(program), err, tail(r.stderr, 30))
	}
	return r, nil
}

// build runs `samforge build --push` on a builder.
func (b *bench) build(ctx context.Context, builder, repo string, args ...string) (result, error) {
	return b.command(ctx, nil, b.samforge, b.buildArgs(builder, repo, args...)...)
}

func (b *bench) buildArgs(builder, repo string, args ...string) []string {
	all := []string{"build", "--push", "--builder", builder, "--repo", repo, "--progress", "plain",
		"--mirror", "https://app.harness.io/=" + b.files.URL() + "/"}
	for from, to := range b.registry.Mirrors() {
		all = append(all, "--mirror", from+"="+to)
	}
	return append(all, args...)
}

// oneImageArgs are the arguments that build one image without a build file, with the published
// pipeline's variables.
func oneImageArgs(base string) []string {
	return []string{"--kind", "sam",
		"--build-arg", "VERSION=1.1.2", "--build-arg", "HARNESS_BASE_IMAGE=" + testenv.SAMPlugin,
		"--build-arg", "SAM_BASE_IMAGE=" + base, "--build-arg", "HARNESS_GO_PLUGIN_VERSION=v0.4.5"}
}

// buildFile writes a build file for these base images and returns its path.
func (b *bench) buildFile(name string, bases []string) (string, error) {
	var s strings.Builder
	fmt.Fprintf(&s, "kind: sam\nplugin: { image: %q, version: 1.1.2 }\ndocker: { version: 28.5.2 }\ngoTemplate: { version: v0.4.5 }\nruntimes:\n", testenv.SAMPlugin)
	for _, base := range bases {
		fmt.Fprintf(&s, "  - image: %s\n", base)
	}
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(s.String()), 0o644)
}

// repo is a repository in the registry.
func (b *bench) repo(format string, args ...any) string {
	return b.registry.Addr + "/bench/" + fmt.Sprintf(format, args...)
}

// tail returns the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
