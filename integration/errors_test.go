package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// A mistake is reported with its place and its remedy. Each row is a mistake, the exit code, and
// what the message must say.
func TestMistakes(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.standInsThatAreWrong()
	b.Files.AddHTML("/html/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template")
	file := example(t, "sam/samforge.yaml")
	html := "https://app.harness.io/=" + b.Files.URL() + "/html/"
	nowhere := "https://app.harness.io/=" + b.Files.URL() + "/nowhere/"
	const wrongSum = "1111111111111111111111111111111111111111111111111111111111111111"

	for name, c := range map[string]struct {
		file string // content of the build file; empty: the example
		args []string
		code int
		want []string
	}{
		"an unknown key": {
			file: "kind: sam\nplugins: {}\n",
			code: 2, want: []string{"build.yaml:2:1", `did you mean "plugin"`, "2 | plugins: {}"},
		},
		"a reference without a version": {
			args: []string{"--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-python3.12:latest-x86_64"},
			code: 2, want: []string{"SAM_BASE_IMAGE", "samVersion by hand"},
		},
		"a digest as the only reference": {
			args: []string{"--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-python3.12@sha256:" + wrongSum},
			code: 2, want: []string{"SAM_BASE_IMAGE", "samVersion by hand"},
		},
		"a mirror that does not name the runtime": {
			args: []string{"--build-arg", "SAM_BASE_IMAGE=mirror.example.com/python:1.143.0"},
			code: 2, want: []string{"no runtime can be read", ".name by hand"},
		},
		"an architecture that the base's tag excludes": {
			args: []string{"--platform", "linux/arm64"},
			code: 2, want: []string{"linux/amd64 only", "samforge.yaml:9"},
		},
		"an architecture that the base image does not have": {
			args: []string{"--platform", "linux/arm64", "--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-java21:1.143.0"},
			code: 1, want: []string{"build-java21:1.143.0", "arm64"},
		},
		"an architecture that the plugin image does not have": {
			args: []string{"--platform", "linux/arm64", "--build-arg", "SAM_BASE_IMAGE=public.ecr.aws/sam/build-python3.12:1.143.0",
				"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:amd64-only"},
			code: 1, want: []string{"aws-sam-plugin:amd64-only", "arm64"},
		},
		"a plugin image without its binary": {
			args: []string{"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:no-binary"},
			code: 1, want: []string{"plugin image docker.io/harness/aws-sam-plugin:no-binary has no /opt/harness/bin/harness-sam-plugin"},
		},
		"a plugin image without its scripts": {
			args: []string{"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:no-scripts"},
			code: 1, want: []string{"plugin image docker.io/harness/aws-sam-plugin:no-scripts has no /opt/harness/scripts"},
		},
		"a plugin of another machine": {
			args: []string{"--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:other-machine"},
			code: 1, want: []string{"/opt/harness/bin/harness-sam-plugin", "EM_AARCH64", "linux/amd64"},
		},
		"an image that does not exist": {
			args: []string{"--build-arg", "DOCKER_VERSION=0.0.1"},
			code: 1, want: []string{"DOCKER_VERSION", "docker:0.0.1-cli was not found"},
		},
		"a download with another checksum": {
			file: seedFile(t) + "goTemplate: {sha256: {amd64: " + wrongSum + "}}\n",
			code: 1, want: []string{"go-template", "expected " + wrongSum, "has the SHA-256 sum ", "build.yaml:10"},
		},
		"a download that does not exist": {
			args: []string{"--mirror", nowhere},
			code: 1, want: []string{"/nowhere/public/shared/tools/go-template", "404"},
		},
		"a download that is a web page": {
			args: []string{"--mirror", html},
			code: 1, want: []string{"go-template", "text/html", "expected an ELF executable for linux/amd64"},
		},
		"a registry that cannot be reached": {
			args: []string{"--repo", "127.0.0.1:1/ci/sam"},
			code: 1, want: []string{"127.0.0.1:1", "refused"},
		},
		"no repository to push to": {
			file: "kind: sam\nplugin: {image: p, version: 1}\nruntimes: [{image: public.ecr.aws/sam/build-java21:1.143.0}]\n",
			args: []string{"--repo", ""},
			code: 2, want: []string{"no repository to push to", "--repo"},
		},
		"two runtimes that give the same tag": {
			file: seedFile(t) + "  - image: public.ecr.aws/sam/build-nodejs22.x:1.144.0\n",
			code: 2, want: []string{"runtimes[1]", "same tag", "build.yaml:10"},
		},
		"a target that does not exist": {
			args: []string{"--target", "nodejs20.x"},
			code: 2, want: []string{`unknown target "nodejs20.x"`, "nodejs22.x"},
		},
		"a flag that does not exist": {
			args: []string{"--plattform", "linux/amd64"},
			code: 2, want: []string{"unknown flag", "--help"},
		},
		"a password as a build argument": {
			args: []string{"--build-arg", "DOCKER_PASSWORD=x"},
			code: 2, want: []string{"DOCKER_PASSWORD", "docker login"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file
			if c.file != "" {
				path = filepath.Join(t.TempDir(), "build.yaml")
				must(t, os.WriteFile(path, []byte(c.file), 0o600))
			}
			args := []string{"build", "--builder", b.Buildkitd.Addr, "--progress", "plain", "-f", path, "--push", "--repo", b.repo("bad/sam")}
			r := run(t, b.env, append(append(args, b.mirrors()...), c.args...)...)
			if r.code != c.code || r.stdout != "" {
				t.Errorf("exit code %d and stdout %q, want %d and nothing", r.code, r.stdout, c.code)
			}
			message := r.stderr[max(strings.LastIndex(r.stderr, "samforge: "), 0):]
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("the message does not say %q", want)
				}
			}
			if t.Failed() {
				t.Logf("stderr:\n%s", r.stderr)
			} else {
				t.Logf("%s", message)
			}
		})
	}
}

// seedFile is the content of examples/sam/samforge.yaml.
func seedFile(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(example(t, "sam/samforge.yaml"))
	must(t, err)
	return string(data)
}

// standInsThatAreWrong publishes images that each lack something.
func (b *bed) standInsThatAreWrong() {
	b.t.Helper()
	b.base("public.ecr.aws/sam/build-java21:1.143.0", "java21", "amd64")
	b.base("public.ecr.aws/sam/build-python3.12:1.143.0", "python3.12", "amd64", "arm64")
	arm64, err := testenv.Executable(b.t.Context(), "harness-sam-plugin", "arm64", "1.1.2")
	must(b.t, err)
	for tag, options := range map[string]testenv.PluginOptions{
		"amd64-only":    {},
		"no-binary":     {NoBinary: true},
		"no-scripts":    {NoScripts: true},
		"other-machine": {Binary: arm64},
	} {
		options.Kind, options.Version, options.Arch = "sam", "1.1.2-beta", "amd64"
		image, err := testenv.PluginImage(b.t.Context(), options)
		must(b.t, err)
		b.push("docker.io/harness/aws-sam-plugin:"+tag, image)
	}
}

// A registry that refuses says which right is missing and where to get it.
func TestRefusedPushes(t *testing.T) {
	t.Parallel()
	accounts := map[string]testenv.Account{"reader": {Password: "r"}, "pusher": {Password: "p", Push: true}}
	for name, c := range map[string]struct {
		registry       testenv.RegistryOptions
		user, password string
		want           []string
	}{
		"nobody, with tokens":   {testenv.RegistryOptions{TokenAuth: true, AnonymousPull: true, Users: accounts}, "", "", []string{"docker login"}},
		"a reader, with tokens": {testenv.RegistryOptions{TokenAuth: true, AnonymousPull: true, Users: accounts}, "reader", "r", []string{"push"}},
		"a wrong password":      {testenv.RegistryOptions{BasicAuth: true, Users: accounts}, "pusher", "wrong", []string{"docker login"}},
		"a reader, with basic":  {testenv.RegistryOptions{BasicAuth: true, Users: accounts}, "reader", "r", []string{"do not allow access"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, testenv.Options{Registry: c.registry})
			if c.user != "" {
				b.login(c.user, c.password)
			}
			r := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push")
			b.wantFailure(r, append(c.want, b.Registry.Addr)...)
		})
	}
}

func (b *bed) wantFailure(r result, want ...string) {
	b.t.Helper()
	message := r.stderr[max(strings.LastIndex(r.stderr, "samforge: "), 0):]
	if r.code != 1 {
		b.t.Errorf("exit code %d, want 1", r.code)
	}
	for _, w := range want {
		if !strings.Contains(message, w) {
			b.t.Errorf("the message does not say %q", w)
		}
	}
	if b.t.Failed() {
		b.t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	} else {
		b.t.Log(message)
	}
}

// An immutable tag refuses other content and accepts the same content again.
func TestImmutableTag(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Registry: testenv.RegistryOptions{ImmutableTags: true}})
	push := []string{"-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push"}
	b.build(push...).ok(t)
	b.build(push...).ok(t)
	r := b.build(append(push, "--label", "changed=yes")...)
	b.wantFailure(r, "immutable", "1.1.2-nodejs22.x-1.144.0-linux-amd64 already exists with another image", "nothing was pushed")
	t.Run("another run pushed the same image meanwhile", func(t *testing.T) {
		tag := "/v2/ci/sam/manifests/1.1.2-nodejs22.x-1.144.0-linux-amd64"
		var looked, refused atomic.Bool
		b.Registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Path != tag:
				return false
			case r.Method == http.MethodHead && looked.CompareAndSwap(false, true): // the tag is not there yet
				w.WriteHeader(http.StatusNotFound)
				return true
			case r.Method != http.MethodPut || !refused.CompareAndSwap(false, true):
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors": [{"code": "TAG_INVALID", "message": "words of next year"}]}`)
			return true
		})
		b.build(push...).ok(t)
		if !refused.Load() {
			t.Error("no push was refused")
		}
	})
}

// Images that were pushed before the registry went away are listed, and the same command pushes the
// rest.
func TestRegistryGoneMidPush(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	gone := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/1.1.2-java21") {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	b.Registry.Intercept(gone)
	push := []string{"-f", example(t, "sam/matrix.yaml"), "--repo", b.repo("ci/sam"), "--push"}
	r := b.build(push...)
	b.wantFailure(r, "java21: ", "already pushed", "1.1.2-python3.12-1.143.0-linux-amd64@sha256:")
	if n := len(strings.Fields(r.stdout)); n != 3 {
		t.Errorf("%d images were pushed, want the other 3", n)
	}

	b.Registry.Intercept(nil)
	b.Registry.Reset()
	b.build(append(push, "--skip-existing")...).ok(t)
	if puts := b.Registry.Stats().ManifestPuts; puts != 1 {
		t.Errorf("the second run pushed %d manifests, want the missing one", puts)
	}
}

// A folder can replace the plugin image, with --build-context.
func TestNamedContext(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	dir := t.TempDir()
	binary, err := testenv.Executable(t.Context(), "harness-sam-plugin", "amd64", "from-a-folder")
	must(t, err)
	for name, data := range map[string][]byte{
		"opt/harness/bin/harness-sam-plugin": binary,
		"opt/harness/scripts/sam-plugin.sh":  []byte("#!/bin/sh\n"),
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	lines := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push",
		"--build-context", "harness/aws-sam-plugin:1.1.2-beta-base-image="+dir).ok(t)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	got, err := image.ReadFile("/opt/harness/bin/harness-sam-plugin")
	must(t, err)
	if string(got) != string(binary) || image.Files["/opt/harness/scripts/sam-plugin.sh"].Mode != 0o755 {
		t.Error("the image does not have the folder's files")
	}
}
