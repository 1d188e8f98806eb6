package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/subrequests/outline"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
	npmlock "github.com/samforge/samforge/npm"
)

// frontendImage is the frontend's image, built like `make frontend-image`, once for all tests.
var frontendImage = sync.OnceValues(func() (v1.ImageIndex, error) {
	ctx := context.Background()
	registry, err := testenv.StartRegistry(ctx, testenv.RegistryOptions{})
	if err != nil {
		return nil, err
	}
	defer registry.Close()
	ref := registry.Addr + "/samforge-frontend:1"
	cmd := exec.CommandContext(ctx, "make", "frontend-image", "FRONTEND_IMAGE="+ref, "BUILDKIT_HOST=")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make frontend-image: %w\n%s", err, out)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	index, err := remote.Index(parsed, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	kept, err := layout.Write(filepath.Join(testDir, "frontend"), index)
	if err != nil {
		return nil, err
	}
	return kept.ImageIndex()
})

// buildx is the docker CLI with buildx and a remote builder.
type buildx struct {
	*bed
	// frontend is the reference of the frontend's image.
	frontend string
	config   string // directory of the docker CLI
	npm      string // address of npm's registry
}

// noAttestations turns off the attestations that buildx adds by default, and samforge does not.
const noAttestations = "BUILDX_NO_DEFAULT_ATTESTATIONS=1"

// newBuildx publishes the frontend and configures the docker CLI with a builder.
func (b *bed) newBuildx(d *testenv.Buildkitd) *buildx {
	b.t.Helper()
	index, err := frontendImage()
	must(b.t, err)
	x := &buildx{bed: b, frontend: b.repo("samforge-frontend:1"), config: b.t.TempDir()}
	ref, err := name.ParseReference(x.frontend)
	must(b.t, err)
	must(b.t, remote.WriteIndex(ref, index, remote.WithContext(b.t.Context())))
	plugin, err := testenv.Tool("buildx")
	must(b.t, err)
	must(b.t, os.Mkdir(filepath.Join(x.config, "cli-plugins"), 0o700))
	must(b.t, os.Symlink(plugin, filepath.Join(x.config, "cli-plugins", "docker-buildx")))
	x.docker("", "buildx", "create", "--name", "remote", "--driver", "remote", "--use", d.Addr).ok(b.t)
	return x
}

// docker runs the docker CLI in a directory; "" is an empty one.
func (x *buildx) docker(dir string, args ...string) result {
	x.t.Helper()
	return x.dockerWith(strings.NewReader(""), dir, args...)
}

func (x *buildx) dockerWith(stdin io.Reader, dir string, args ...string) result {
	x.t.Helper()
	if dir == "" {
		dir = x.t.TempDir()
	}
	cmd := exec.CommandContext(x.t.Context(), "docker", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+x.config, "BUILDX_CONFIG="+x.config+"/buildx", noAttestations, "DOCKER_HOST=unix:///nowhere")
	cmd.Env = append(cmd.Env, x.env...)
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		x.t.Fatalf("run docker: %v", err)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
}

// folder returns a build context with a build file that names the frontend.
func (x *buildx) folder(file string) string {
	x.t.Helper()
	dir := x.t.TempDir()
	must(x.t, os.WriteFile(filepath.Join(dir, llbgen.Filename), []byte("# syntax="+x.frontend+"\n"+file), 0o600))
	return dir
}

// build runs `docker buildx build -f samforge.yaml` on a folder.
func (x *buildx) build(dir string, args ...string) result {
	x.t.Helper()
	args = append([]string{"buildx", "build", "--progress", "plain", "-f", llbgen.Filename}, args...)
	return x.docker(dir, append(append(args, x.mirrorArgs()...), ".")...)
}

// mirrorArgs are the build arguments that point to the stand-ins.
func (x *buildx) mirrorArgs() []string {
	mirrors := llbgen.Mirrors{"https://app.harness.io/": x.Files.URL() + "/"}
	for from, to := range x.Registry.Mirrors() {
		mirrors[from] = to
	}
	if x.npm != "" {
		mirrors["https://registry.npmjs.org/"] = x.npm + "/"
	}
	name, value := llbgen.MirrorsArg(mirrors)
	return []string{"--build-arg", name + "=" + value}
}

const samFile = `kind: sam
plugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}
runtimes:
  - {image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138}
`

// newSAMBuildx starts a test bed whose only base image is for two architectures.
func newSAMBuildx(t *testing.T) *buildx {
	t.Helper()
	b := newBed(t, testenv.Options{})
	b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
	b.Registry.Reset()
	return b.newBuildx(b.Buildkitd)
}

// digestOfTag returns the digest that a tag in the registry points at.
func (b *bed) digestOfTag(ref string) string {
	b.t.Helper()
	parsed, err := name.ParseReference(ref)
	must(b.t, err)
	desc, err := remote.Head(parsed, remote.WithContext(b.t.Context()))
	must(b.t, err)
	return desc.Digest.String()
}

// bake writes a docker-bake.json and builds it with docker buildx bake.
func (x *buildx) bake(dir string, args ...string) {
	x.t.Helper()
	args = append([]string{"bake", "-f", filepath.Join(dir, llbgen.Filename)}, args...)
	r := run(x.t, x.env, append(args, x.mirrors()...)...)
	r.ok(x.t)
	if r := x.dockerWith(strings.NewReader(r.stdout), dir, "buildx", "bake", "--progress", "plain", "-f", "-", "--push", "--allow", "fs.read=*"); r.code != 0 {
		x.t.Fatalf("docker buildx bake exited with %d:\n%s", r.code, r.stderr)
	}
}

// bakesLiterally fails the test if docker buildx bake takes a text for a template.
func (x *buildx) bakesLiterally() {
	x.t.Helper()
	const text = "${FOO}%{if}"
	named := x.t.TempDir()
	dir := filepath.Join(named, text)
	must(x.t, os.Mkdir(dir, 0o755))
	must(x.t, os.WriteFile(filepath.Join(dir, text+".yaml"), []byte("# syntax=registry.example.com/frontend:1\n"+samFile), 0o600))
	r := run(x.t, x.env, "bake", "-f", filepath.Join(dir, text+".yaml"), "--repo", "registry.example.com/ci", "--label", text+"="+text,
		"--annotation", "a="+text, "--secret", "id=a,src="+text, "--cache-from", "type=local,src="+text, "--cache-to", "type=local,dest="+text,
		"--build-context", "files="+dir, "--build-arg", "VERSION=1", "--build-arg", "OTHER="+text)
	r.ok(x.t)
	printed := x.dockerWith(strings.NewReader(r.stdout), named, "buildx", "bake", "-f", "-", "--print")
	// Some of the values are printed in the form that bake would read again.
	values := strings.NewReplacer("$${", "${", "%%{", "%{").Replace(printed.stdout)
	if count := strings.Count(values, text); printed.code != 0 || count != 10 {
		x.t.Errorf("docker buildx bake exited with %d and has %q %d times:\n%s%s", printed.code, text, count, printed.stdout, printed.stderr)
	}
}

// The command, the frontend by `# syntax=` and the frontend by bake give an image with the same
// bytes.
func TestEveryDoorGivesTheSameDigest(t *testing.T) {
	t.Parallel()
	t.Run("sam", func(t *testing.T) {
		t.Parallel()
		x := newSAMBuildx(t)
		dir := x.folder(samFile)
		other := startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{})
		for _, platforms := range []string{"linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"} {
			line := x.bed.buildOn(other, "-f", filepath.Join(dir, llbgen.Filename), "--repo", x.repo("ci/cli"), "--platform", platforms, "--push").ok(t)[0]
			x.build(dir, "--platform", platforms, "-t", x.repo("ci/syntax:1"), "--push").ok(t)
			x.bake(dir, "--platform", platforms, "--repo", x.repo("ci/bake"))
			tag := strings.TrimPrefix(strings.Split(line, "@")[0], x.repo("ci/cli"))
			for door, ref := range map[string]string{"# syntax=": x.repo("ci/syntax:1"), "bake": x.repo("ci/bake") + tag} {
				if got := x.digestOfTag(ref); got != digestOf(line) {
					t.Errorf("%s: %s gives %s, the command %s", platforms, door, got, digestOf(line))
				}
			}
		}
		x.bakesLiterally()
	})
	t.Run("serverless", func(t *testing.T) {
		t.Parallel()
		b, npm := sharedBed(t)
		x := b.newBuildx(b.Buildkitd)
		x.npm = npm.URL()
		file, err := os.ReadFile(pairFile(t, testenv.Python312Base, testenv.Node20Base, ""))
		must(t, err)
		dir := x.folder(string(file))
		const platforms = "linux/amd64,linux/arm64"
		lines := b.build("-f", filepath.Join(dir, llbgen.Filename), "--repo", b.repo("ci/cli"), "--platform", platforms, "--push",
			"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/").ok(t)
		x.bake(dir, "--platform", platforms, "--repo", x.repo("ci/bake"), "--mirror", "https://registry.npmjs.org/="+npm.URL()+"/")
		x.build(dir, "--platform", platforms, "--target", "python3.12-base", "-t", x.repo("ci/syntax:python3.12-1.1.0-beta"), "--push").ok(t)
		x.build(dir, "--platform", platforms, "--target", "python3.12-serverless", "-t", x.repo("ci/syntax:python3.12-3.39.0-1.1.0-beta"), "--push").ok(t)
		for _, tag := range []string{":python3.12-1.1.0-beta", ":python3.12-3.39.0-1.1.0-beta"} {
			i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, b.repo("ci/cli")+tag+"@") })
			for _, door := range []string{"ci/syntax", "ci/bake"} {
				if got := b.digestOfTag(b.repo(door) + tag); got != digestOf(lines[i]) {
					t.Errorf("%s%s is %s, by the command %s", door, tag, got, digestOf(lines[i]))
				}
			}
		}
	})
}

// The options that docker buildx build passes to a frontend reach the image.
func TestBuildxFlags(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	dir := x.folder(samFile)
	inspect := func(t *testing.T, args ...string) *testenv.Inspected {
		t.Helper()
		ref := x.repo("ci/flags:1")
		x.build(dir, append(args, "--push", "-t", ref)...).ok(t)
		image, err := x.Registry.ReadImage(t.Context(), ref, "linux/amd64")
		must(t, err)
		return image
	}

	t.Run("--label, --annotation and --build-arg", func(t *testing.T) {
		image := inspect(t, "--label", "team=ci", "--annotation", "team=ci", "--build-arg", "VERSION=1.1.3")
		if image.Config.Labels["team"] != "ci" || image.Manifest.Annotations["team"] != "ci" || image.Config.Labels["org.opencontainers.image.version"] != "1.1.3" {
			t.Errorf("labels %v, annotations %v", image.Config.Labels, image.Manifest.Annotations)
		}
	})
	t.Run("BUILDKIT_SYNTAX and the variables of the pipeline need no build file", func(t *testing.T) {
		empty := t.TempDir()
		must(t, os.WriteFile(filepath.Join(empty, "empty.yaml"), []byte("# nothing\n"), 0o600))
		r := x.docker(empty, append(append([]string{"buildx", "build", "-f", "empty.yaml", "--push", "-t", x.repo("ci/args:1")}, x.mirrorArgs()...),
			"--build-arg", "BUILDKIT_SYNTAX="+x.frontend, "--build-arg", "SAMFORGE_KIND=sam", "--build-arg", "VERSION=1.1.2",
			"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:1.1.2-beta-base-image", "--build-arg", "SAM_BASE_IMAGE="+testenv.Node22Base, ".")...)
		r.ok(t)
		x.build(dir, "--push", "-t", x.repo("ci/args:2")).ok(t)
		if one, two := x.digestOfTag(x.repo("ci/args:1")), x.digestOfTag(x.repo("ci/args:2")); one != two {
			t.Errorf("the variables give %s, the build file %s", one, two)
		}
	})
	t.Run("SOURCE_DATE_EPOCH", func(t *testing.T) {
		image := inspect(t, "--build-arg", "SOURCE_DATE_EPOCH=1700000000")
		if created := image.Config.Labels; image.Files["/usr/local/bin/docker"].ModTime.Unix() != 1700000000 {
			t.Errorf("the Docker CLI is of %s (%v)", image.Files["/usr/local/bin/docker"].ModTime, created)
		}
	})
	t.Run("--build-context: another image, an OCI layout, a folder", func(t *testing.T) {
		const plugin = "harness/aws-sam-plugin:1.1.2-beta-base-image"
		ref, err := x.Registry.Ref(testenv.SAMPlugin)
		must(t, err)
		same := inspect(t)
		for _, source := range []string{"docker-image://" + ref, "oci-layout://" + x.layout(ref) + ":latest"} {
			image := inspect(t, "--build-context", plugin+"="+source)
			if image.Manifest.Config.Digest != same.Manifest.Config.Digest {
				t.Errorf("%s gives another image", source)
			}
		}
		folder := t.TempDir()
		must(t, os.CopyFS(folder, pluginFolder(t, same)))
		must(t, os.WriteFile(filepath.Join(folder, "opt/harness/scripts/sam-plugin.sh"), []byte("#!/bin/sh\necho ours\n"), 0o755))
		image := inspect(t, "--build-context", plugin+"="+folder)
		script, err := image.ReadFile("/opt/harness/scripts/sam-plugin.sh")
		must(t, err)
		if !strings.Contains(string(script), "echo ours") {
			t.Errorf("the entrypoint is %q", script)
		}
	})
	t.Run("--no-cache and --no-cache-filter", func(t *testing.T) {
		const step = " copy the plugin from docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image\n"
		for flag, cached := range map[string]bool{"": true, "--no-cache": false, "--no-cache-filter=nodejs22.x": false, "--no-cache-filter=java21": true} {
			args := []string{"--push", "-t", x.repo("ci/flags:1")}
			if flag != "" {
				args = append(args, flag)
			}
			r := x.build(dir, args...)
			r.ok(t)
			if got := cachedStep(r.stderr, step); got != cached {
				t.Errorf("%q: the plugin comes from the cache: %t, want %t", flag, got, cached)
			}
		}
	})
	t.Run("--output", func(t *testing.T) {
		out := t.TempDir()
		for _, output := range []string{"type=oci,dest=" + out + "/oci.tar", "type=docker,dest=" + out + "/docker.tar", "type=tar,dest=" + out + "/files.tar",
			"type=local,dest=" + out + "/local", "type=image,name=" + x.repo("ci/out:1") + ",push=true"} {
			x.build(dir, "-o", output).ok(t)
		}
		x.digestOfTag(x.repo("ci/out:1"))
		if _, err := os.Stat(filepath.Join(out, "local/opt/harness/bin/harness-sam-plugin")); err != nil {
			t.Error(err)
		}
		for name, entry := range map[string]string{"oci.tar": "index.json", "docker.tar": "manifest.json", "files.tar": "opt/harness/bin/harness-sam-plugin"} {
			list, err := exec.CommandContext(t.Context(), "tar", "-tf", filepath.Join(out, name)).Output()
			must(t, err)
			if !slices.Contains(strings.Split(string(list), "\n"), entry) {
				t.Errorf("%s has no %s", name, entry)
			}
		}
	})
	t.Run("--provenance, --sbom and --metadata-file", func(t *testing.T) {
		x.push("docker.io/docker/buildkit-syft-scanner:stable-1", x.scanner())
		ref, file := x.repo("ci/attested:1"), filepath.Join(t.TempDir(), "metadata.json")
		x.build(dir, "--push", "-t", ref, "--provenance", "mode=max", "--sbom", "generator=docker/buildkit-syft-scanner:stable-1", "--metadata-file", file).ok(t)
		blobs := x.everyBlob(ref)
		for _, want := range []string{"https://spdx.dev/Document", `"standin"`, "https://slsa.dev/provenance/", "pkg:docker/"} {
			if !strings.Contains(blobs, want) {
				t.Errorf("the attestations do not mention %s", want)
			}
		}
		var metadata map[string]any
		readJSON(t, file, &metadata)
		if metadata["containerimage.digest"] != x.digestOfTag(ref) {
			t.Errorf("the metadata is %v", metadata)
		}
	})
}

// layout copies an image from the registry into an OCI layout.
func (x *buildx) layout(ref string) string {
	x.t.Helper()
	dir := filepath.Join(x.t.TempDir(), "layout")
	crane, err := testenv.Tool("crane")
	must(x.t, err)
	out, err := exec.CommandContext(x.t.Context(), crane, "pull", "--insecure", "--format=oci", "--annotate-ref", ref, dir).CombinedOutput()
	if err != nil {
		x.t.Fatalf("crane pull: %v\n%s", err, out)
	}
	return dir
}

// pluginFolder returns the plugin's files as a folder.
func pluginFolder(t *testing.T, image *testenv.Inspected) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for name, file := range image.Files {
		if strings.HasPrefix(name, "/opt/harness/bin/") || strings.HasPrefix(name, "/opt/harness/scripts/") {
			data, err := image.ReadFile(name)
			if file.Type != '0' {
				continue
			}
			must(t, err)
			files[name[1:]] = &fstest.MapFile{Data: data, Mode: fs.FileMode(file.Mode & 0o777)}
		}
	}
	return files
}

// Requests other than builds are answered, and pull only the frontend.
func TestBuildxCalls(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	x := b.newBuildx(b.Buildkitd)
	file, err := os.ReadFile(example(t, "serverless/samforge.yaml"))
	must(t, err)
	dir := x.folder(string(file))
	b.Registry.Reset()

	t.Run("outline", func(t *testing.T) {
		r := x.build(dir, "--call=outline,format=json", "--target", "python3.12-serverless", "--build-arg", "SERVERLESS_VERSION=3.40.0")
		r.ok(t)
		var o outline.Outline
		must(t, json.Unmarshal([]byte(r.stdout), &o))
		values := map[string]string{}
		for _, arg := range o.Args {
			values[arg.Name] = arg.Value
		}
		if o.Name != "python3.12-serverless" || values["SERVERLESS_VERSION"] != "3.40.0" || values["NODEJS_BASE_IMAGE_VERSION"] != testenv.Lambda20Base {
			t.Errorf("the outline is %+v", o)
		}
		if len(o.Secrets) != len(npmlock.Secrets()) {
			t.Errorf("the secrets are %v", o.Secrets)
		}
		if text := x.build(dir, "--call=outline", "--target", "java21-base"); !strings.Contains(text.stdout, "java21 with Node.js and the plugin") {
			t.Errorf("the outline is\n%s", text.stdout)
		}
	})
	t.Run("targets", func(t *testing.T) {
		r := x.build(dir, "--call=targets")
		r.ok(t)
		for _, want := range []string{"nodejs18.x-base ", "ruby3.2-serverless ", "python3.12 with Node.js, the plugin and serverless 3.39.0"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("the targets do not say %q:\n%s", want, r.stdout)
			}
		}
		if n := strings.Count(r.stdout, "\n"); n != 1+18 {
			t.Errorf("the targets are %d lines, want 18 and a heading", n)
		}
	})
	t.Run("convertllb", func(t *testing.T) {
		r := x.build(dir, "--call=convertllb", "--target", "python3.12-base")
		r.ok(t)
		if !strings.Contains(r.stdout, "copy Node.js from "+testenv.Lambda20Base) {
			t.Errorf("the graph is\n%s", r.stdout)
		}
	})
	t.Run("an unknown request", func(t *testing.T) {
		if r := x.build(dir, "--call=other"); r.code == 0 || !strings.Contains(r.stderr, "unsupported request frontend.other") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" && p.Repository != "samforge-frontend" {
			t.Errorf("a layer of %s was pulled", p.Repository)
		}
	}
}

// A build context is a folder, standard input, a tar archive or a git repository.
func TestBuildxContexts(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	dir := x.folder(samFile)
	x.build(dir, "--push", "-t", x.repo("ci/context:folder")).ok(t)
	want := x.digestOfTag(x.repo("ci/context:folder"))
	build := []string{"buildx", "build", "--progress", "plain", "--push", "-t", x.repo("ci/context:1")}
	build = append(build, x.mirrorArgs()...)
	is := func(t *testing.T, r result) {
		t.Helper()
		r.ok(t)
		if got := x.digestOfTag(x.repo("ci/context:1")); got != want {
			t.Errorf("the image is %s, of the folder %s", got, want)
		}
	}

	t.Run("the build file on standard input", func(t *testing.T) {
		file, err := os.Open(filepath.Join(dir, llbgen.Filename))
		must(t, err)
		defer file.Close()
		is(t, x.dockerWith(file, "", append(build, "-f", "-", ".")...))
	})
	t.Run("an archive on standard input", func(t *testing.T) {
		archive, err := exec.CommandContext(t.Context(), "tar", "-C", dir, "-cf", "-", ".").Output()
		must(t, err)
		is(t, x.dockerWith(bytes.NewReader(archive), "", append(build, "-f", llbgen.Filename, "-")...))
	})
	t.Run("a git repository", func(t *testing.T) {
		url := gitDaemon(t, dir)
		is(t, x.docker("", append(build, "-f", llbgen.Filename, url+"#main")...))
	})
}

// gitDaemon serves a folder as a git repository with the branch main.
func gitDaemon(t *testing.T, dir string) (url string) {
	t.Helper()
	git := func(args ...string) {
		args = append([]string{"-C", dir, "-c", "user.name=test", "-c", "user.email=test@example.com"}, args...)
		if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-q", "-m", "build file")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	must(t, listener.Close())
	daemon := exec.Command("git", "daemon", "--listen=127.0.0.1", fmt.Sprintf("--port=%d", port), "--export-all", "--base-path="+filepath.Dir(dir), dir)
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // git starts another program for it
	must(t, daemon.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-daemon.Process.Pid, syscall.SIGTERM)
		_ = daemon.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if c, err := net.Dial("tcp4", address); err == nil {
			must(t, c.Close())
			return "git://" + address + "/" + filepath.Base(dir)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("git daemon does not answer")
	return ""
}

// Mistakes reach the user of docker buildx with their lines.
func TestBuildxErrors(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	fails := func(t *testing.T, dir string, args []string, want ...string) {
		t.Helper()
		r := x.build(dir, args...)
		if r.code == 0 {
			t.Errorf("the build succeeds")
		}
		for _, w := range want {
			if !strings.Contains(r.stderr, w) {
				t.Errorf("the message does not say %q:\n%s", w, r.stderr)
			}
		}
	}
	for name, c := range map[string]struct {
		file string
		args []string
		want []string
	}{
		"an unknown key, and the frontend may be too old": {
			samFile + "futureKey: 1\n", nil,
			[]string{"6 | >>> futureKey: 1", `samforge.yaml:6:1: unknown key "futureKey"`, "this is samforge-frontend ", "# syntax= line"},
		},
		"a wrong value": {
			strings.Replace(samFile, "version: 1.1.2", "version: [1]", 1), nil,
			[]string{">>> plugin: {image:", "plugin.version: expected"},
		},
		"an image that does not exist": {
			samFile, []string{"--build-arg", "DOCKER_VERSION=1.2.3"},
			[]string{"build argument DOCKER_VERSION: ", "was not found in its registry"},
		},
		"an unknown target": {
			samFile, []string{"--target", "nodejs20.x"},
			[]string{`unknown target "nodejs20.x": did you mean "nodejs22.x"? (targets: nodejs22.x)`},
		},
		"several targets": {
			samFile + "  - {image: public.ecr.aws/sam/build-java21:1.143.0-20250822194412}\n", nil,
			[]string{"samforge.yaml has several targets", "choose one with --target (nodejs22.x, java21)"},
		},
		"text that is not UTF-8": {"kind: s\xff\n", nil, []string{"UTF-8", "samforge.yaml:2"}},
		"tabs":                   {"kind: sam\nplugin:\n\timage: x\n", nil, []string{"samforge.yaml:4", "indent with spaces"}},
		"a key twice":            {"kind: sam\nkind: sam\n", nil, []string{"samforge.yaml:3", "kind"}},
		"a merge key":            {"kind: sam\nplugin: {<<: {image: x}}\n", nil, []string{"samforge.yaml:3", "<<"}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, x.folder(c.file), c.args, c.want...) })
	}
	t.Run("anchors and aliases work", func(t *testing.T) {
		x.build(x.folder(strings.Replace(samFile, "version: 1.1.2}", "version: &v 1.1.2}", 1)+"labels: {v: *v}\n"), "--call=outline").ok(t)
	})
	t.Run("no build file in the context", func(t *testing.T) {
		fails(t, t.TempDir(), []string{"--build-arg", "BUILDKIT_SYNTAX=" + x.frontend}, "samforge.yaml")
	})
	t.Run("a build file of 20 MB", func(t *testing.T) {
		fails(t, x.folder(samFile+strings.Repeat("# long\n", 20<<20/7)), nil, "samforge.yaml", "bytes")
		fails(t, x.folder(samFile+strings.Repeat("# long\n", 5<<20/7)), nil, "samforge.yaml: ", "more than a build file may have")
	})
	t.Run("a capability that the frontend does not have", func(t *testing.T) {
		c, err := x.Buildkitd.Client(t.Context())
		must(t, err)
		defer c.Close()
		_, err = c.Solve(t.Context(), nil, client.SolveOpt{Frontend: "gateway.v0", FrontendAttrs: map[string]string{
			"source": x.frontend, "frontend.caps": "moby.buildkit.frontend.future",
		}}, nil)
		if err == nil || !strings.Contains(err.Error(), "unsupported frontend capability moby.buildkit.frontend.future") {
			t.Errorf("the error is %v", err)
		}
	})
}

// Both doors report the same findings of the rules, and a build warns about them.
func TestBuildxCheck(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	const findings = "kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2-beta}\ngoTemplate: false\n" +
		"docker: {version: 20.10.24}\nruntimes:\n  - {image: '" + testenv.Node22Base + "'}\n"
	dir := x.folder(findings)
	checked := x.build(dir, "--check")
	if checked.code != 1 || !strings.Contains(checked.stdout, "WARNING: OldDockerCLI - https://") || !strings.Contains(checked.stdout, "samforge.yaml:5") {
		t.Errorf("--check exits with %d:\n%s%s", checked.code, checked.stdout, checked.stderr)
	}
	own := run(t, nil, append([]string{"check", "-f", filepath.Join(dir, llbgen.Filename)}, x.mirrors()...)...)
	if own.code != 1 || own.stdout != checked.stdout {
		t.Errorf("samforge check exits with %d and prints\n%s\nnot\n%s", own.code, own.stdout, checked.stdout)
	}
	if r := x.build(dir, "--build-arg", "DOCKER_VERSION=28.5.2"); r.code != 0 || strings.Contains(r.stderr, "OldDockerCLI") {
		t.Errorf("a new Docker CLI: exit code %d\n%s", r.code, r.stderr)
	}
	clean := x.build(x.folder("# check=skip=OldDockerCLI\n"+findings), "--check")
	if clean.code != 0 || !strings.Contains(clean.stdout, "no warnings found") {
		t.Errorf("a skipped rule: exit code %d\n%s%s", clean.code, clean.stdout, clean.stderr)
	}

	image, err := testenv.DockerCLI(t.Context(), testenv.DockerCLIOptions{Version: "20.10.24", Arch: "amd64"})
	must(t, err)
	x.push("docker.io/library/docker:20.10.24-cli", image)
	if r := x.build(dir, "--platform", "linux/amd64"); r.code != 0 || !strings.Contains(r.stderr, "OldDockerCLI: ") || !strings.Contains(r.stderr, "(line 5)") {
		t.Errorf("a build with findings: exit code %d\n%s", r.code, r.stderr)
	}
	failed := x.build(x.folder("# check=error=true\n"+findings), "--platform", "linux/amd64")
	if failed.code == 0 || !strings.Contains(failed.stderr, "lint violation found for rules: OldDockerCLI") {
		t.Errorf("a build that allows no findings: exit code %d\n%s", failed.code, failed.stderr)
	}
}
