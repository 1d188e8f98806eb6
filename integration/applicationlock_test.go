package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/integration/testenv"
)

// applicationBed is a test bed with an application whose functions are built from one image.
type applicationBed struct {
	*bed
	dir  string
	base string

	older map[string]string // the digests of an older base image, by platform
}

// newApplicationBed publishes a base image for both architectures, without history as Lambda's, and
// writes an application of it: one function copies the base image's files, another one is built on it.
func newApplicationBed(t *testing.T) *applicationBed {
	t.Helper()
	b := newBed(t, testenv.Options{})
	a := &applicationBed{bed: b, dir: application(t, twoFunctions), base: b.repo("lambda/base:1")}
	a.publish("one")
	a.write("greet/Dockerfile", "FROM "+a.base+"\nARG GREETING\nCOPY app.mjs ${LAMBDA_TASK_ROOT}/\nCMD [\"app.handler\"]\n")
	a.write("greet/goodbye/Dockerfile", "FROM scratch\nCOPY --from="+a.base+" /version /\nCOPY app.mjs /\nENTRYPOINT [\"/app.mjs\"]\n")
	return a
}

// publish moves the tag of the base image to another version.
func (b *applicationBed) publish(version string) {
	b.t.Helper()
	var images []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := testenv.Image(testenv.ImageOptions{
			Arch: arch, History: []string{}, Config: v1.Config{Env: []string{"LAMBDA_TASK_ROOT=/var/task"}, WorkingDir: "/var/task"},
			Layers: []testenv.Layer{{Files: []testenv.File{{Path: "version", Data: []byte(version + arch)}}}},
		})
		must(b.t, err)
		images = append(images, image)
	}
	b.push(b.base, images...)
}

// members returns the digests of the base image by platform.
func (b *applicationBed) members() map[string]string {
	b.t.Helper()
	ref, err := name.ParseReference(b.base)
	must(b.t, err)
	index, err := remote.Index(ref, remote.WithContext(b.t.Context()))
	must(b.t, err)
	manifest, err := index.IndexManifest()
	must(b.t, err)
	digests := map[string]string{}
	for _, member := range manifest.Manifests {
		digests[member.Platform.OS+"/"+member.Platform.Architecture] = member.Digest.String()
	}
	return digests
}

func (b *applicationBed) write(name, text string) {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644))
}

// samforge runs a verb on the template.
func (b *applicationBed) samforge(verb string, args ...string) result {
	b.t.Helper()
	return run(b.t, b.env, append([]string{verb, "-f", filepath.Join(b.dir, "template.yaml")}, args...)...)
}

// push builds the functions on a builder and pushes them.
func (b *applicationBed) pushTo(builder string, args ...string) result {
	b.t.Helper()
	return b.samforge("build", append([]string{"--progress", "plain", "--builder", builder, "--repo", b.repo("ci/app"), "--push"}, args...)...)
}

// A lock file pins what the Dockerfiles of the functions reach, which stay as they are: a tag that
// moves changes nothing until the lock file does, and no registry is asked for it.
func TestLockOfAnApplication(t *testing.T) {
	t.Parallel()
	b := newApplicationBed(t)
	const nowhere = "tcp://127.0.0.1:1"
	first := b.pushTo(b.Buildkitd.Addr).ok(t)
	if r := b.samforge("outdated"); r.code != 2 || !strings.Contains(r.stderr, "template.lock: make it with samforge lock") {
		t.Errorf("outdated without a lock file: exit code %d, %s", r.code, r.stderr)
	}
	if r := b.samforge("build", "--locked"); r.code != 2 || !strings.Contains(r.stderr, "--locked, and there is no template.lock") {
		t.Errorf("--locked without a lock file: exit code %d, %s", r.code, r.stderr)
	}
	b.older = b.members()
	added := b.samforge("lock")
	added.ok(t)
	want := regexp.MustCompile(`^added +` + regexp.QuoteMeta(b.base) + ` +sha256:\S+\nadded .*\(linux/amd64\) .*\nadded .*\(linux/arm64\) .*\n$`)
	if !want.MatchString(added.stdout) {
		t.Errorf("samforge lock prints\n%s", added.stdout)
	}

	b.Registry.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.Contains(req.URL.Path, "/lambda/base/") {
			t.Errorf("the registry of the base image is asked: %s %s", req.Method, req.URL)
		}
		return false
	})
	b.Registry.Reset()
	wantDigests(t, b.pushTo(nowhere, "--locked").ok(t), first)
	if heads := b.Registry.Stats().ManifestHeads; heads != 2 {
		t.Errorf("two unchanged functions are looked for %d times, want once each", heads)
	}
	b.Registry.Intercept(nil)
	wantDigests(t, b.pushTo(b.Buildkitd.Addr, "--locked", "--no-skip").ok(t), first)

	b.publish("two")
	if r := b.samforge("outdated"); r.code != 1 || strings.Count(r.stdout, "moved ") != 3 {
		t.Errorf("outdated: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	wantDigests(t, b.pushTo(b.Buildkitd.Addr, "--no-skip").ok(t), first)
	if r := b.samforge("lock"); len(r.ok(t)) != 0 {
		t.Errorf("samforge lock without --update prints %s", r.stdout)
	}
	b.samforge("lock", "--update", "lambda/base").ok(t)
	if r := b.samforge("outdated"); r.code != 0 {
		t.Errorf("outdated after lock --update: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	second := b.pushTo(b.Buildkitd.Addr).ok(t)
	if second[0] == first[0] || second[1] == first[1] {
		t.Errorf("after lock --update the images are %q, before %q", second, first)
	}

	t.Run("a lock file that does not agree with itself, or with the registry", func(t *testing.T) {
		data, err := os.ReadFile(filepath.Join(b.dir, "template.lock"))
		must(t, err)
		defer b.write("template.lock", string(data))
		for want, change := range map[string]*regexp.Regexp{
			"has another image for it: run samforge lock --update":                      regexp.MustCompile(`linux/(amd|arm)64: sha256:\S+`),
			"which is not in its registry, or not any more: run samforge lock --update": regexp.MustCompile(`digest: sha256:\S+`),
		} {
			text := change.ReplaceAllStringFunc(string(data), func(entry string) string {
				key, _, _ := strings.Cut(entry, ": ")
				if key != "digest" {
					return key + ": " + b.older[key]
				}
				return key + ": sha256:" + strings.Repeat("0", 64)
			})
			b.write("template.lock", text)
			if r := b.pushTo(b.Buildkitd.Addr, "--no-skip"); r.code == 0 || !strings.Contains(r.stderr, want) {
				t.Errorf("exit code %d, want %q:\n%s", r.code, want, r.stderr)
			}
		}
	})
	t.Run("an image that is not in the lock file", func(t *testing.T) {
		other := strings.TrimSuffix(b.base, ":1") + ":2"
		old := b.base
		b.base = other
		b.publish("two")
		b.base = old
		b.write("greet/goodbye/Dockerfile", "FROM scratch\nCOPY --from="+other+" /version /\nENTRYPOINT [\"/version\"]\n")
		sentence := "template.lock does not have " + other + " for linux/arm64, so its current state is used: run samforge lock"
		if r := b.samforge("build", "--progress", "plain", "--builder", b.Buildkitd.Addr); r.code != 0 || !strings.Contains(r.stderr, sentence) {
			t.Errorf("exit code %d, want a warning %q:\n%s", r.code, sentence, r.stderr)
		}
		if r := b.samforge("plan"); r.code != 0 || !strings.Contains(r.stdout, "GoodbyeFunction: "+sentence) {
			t.Errorf("samforge plan exits with %d, want a warning %q:\n%s%s", r.code, sentence, r.stdout, r.stderr)
		}
		for _, r := range []result{b.pushTo(nowhere, "--locked"), b.samforge("build", "--progress", "plain", "--builder", b.Buildkitd.Addr, "--locked")} {
			if r.code == 0 || !strings.Contains(r.stderr, "--locked, and "+sentence) {
				t.Errorf("exit code %d, want %q:\n%s", r.code, sentence, r.stderr)
			}
		}
		b.write("greet/Dockerfile", "FROM "+other+"\nCMD [\"app.handler\"]\nENTRYPOINT [\"/version\"]\n")
		if r := b.pushTo(b.Buildkitd.Addr, "--locked", "--target", "HelloFunction", "--build-context", other+"=docker-image://"+b.base+"@"+digestOfEntry(t, b)); r.code != 0 {
			t.Errorf("a named context with a digest: exit code %d\n%s", r.code, r.stderr)
		}
	})
}

// digestOfEntry returns the digest in the lock file of the base image as a whole.
func digestOfEntry(t *testing.T, b *applicationBed) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, "template.lock"))
	must(t, err)
	found := regexp.MustCompile(`digest: (sha256:\S+)`).FindSubmatch(data)
	if found == nil {
		t.Fatalf("the lock file has no digest:\n%s", data)
	}
	return string(found[1])
}

// The lock file counts in every door, and gives the images that the tags give.
func TestLockOfAnApplicationInEveryDoor(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	x := b.newBuildx(b.Buildkitd)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, "# syntax="+x.frontend+"\n"+twoFunctions)
	a := &applicationBed{bed: b, dir: dir, base: base}
	a.write("greet/Dockerfile", "FROM "+base+" AS build\nARG GREETING\nRUN echo \"$GREETING\" >greeting\nFROM "+base+"\nCOPY --from=build /var/task ./\nCOPY . ./\nCMD [\"app.handler\"]\n")
	first := b.buildTemplate("-f", filepath.Join(dir, "template.yaml")).ok(t)
	a.samforge("lock").ok(t)
	locked := b.buildTemplate("-f", filepath.Join(dir, "template.yaml"), "--locked")
	wantDigests(t, locked.ok(t), first)
	if !strings.Contains(locked.stderr, "[context "+base+"] "+base+"@sha256:") && !strings.Contains(locked.stderr, "context "+base+"] "+base+"@sha256:") {
		t.Errorf("the base image is not that of the lock file:\n%s", locked.stderr)
	}
	ref := b.repo("ci/buildx:hello")
	build := func(args ...string) result {
		args = append([]string{"buildx", "build", "--progress", "plain", "-f", "template.yaml", "--target", "HelloFunction", "--push", "-t", ref}, args...)
		return x.docker(dir, append(args, "--build-arg", "SAMFORGE_LOCKED=true", ".")...)
	}
	build().ok(t)
	if got := b.digestOfTag(ref); got != digestOf(first[0]) {
		t.Errorf("docker buildx gives %s, the command %s", got, first[0])
	}
	a.write("greet/Dockerfile", "FROM "+x.frontend+"\nENTRYPOINT [\"/samforge-frontend\"]\n")
	if r := build(); r.code == 0 || !strings.Contains(r.stderr, "--locked, and template.lock does not have "+x.frontend+" for linux/amd64") {
		t.Errorf("an image that is not in the lock file: exit code %d\n%s", r.code, r.stderr)
	}
	must(t, os.Remove(filepath.Join(dir, "template.lock")))
	if r := build(); r.code == 0 || !strings.Contains(r.stderr, "--locked, and there is no template.lock") {
		t.Errorf("without a lock file: exit code %d\n%s", r.code, r.stderr)
	}
}

// The frontend of a Dockerfile is pinned too.
func TestLockedFrontend(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	const syntax = "docker.io/docker/dockerfile:1.99"
	frontend := filepath.Join(t.TempDir(), "dockerfile-frontend")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", frontend, "github.com/moby/buildkit/frontend/dockerfile/cmd/dockerfile-frontend")
	cmd.Dir, cmd.Env = "tools", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(frontend)
	must(t, err)
	image, err := testenv.Image(testenv.ImageOptions{
		Arch: "amd64", Config: v1.Config{Entrypoint: []string{"/dockerfile-frontend"}, Labels: map[string]string{
			"moby.buildkit.frontend.caps": "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts",
		}},
		Layers: []testenv.Layer{{Files: []testenv.File{{Path: "dockerfile-frontend", Mode: 0o755, Data: program}}}},
	})
	must(t, err)
	digest, err := b.Registry.Push(syntax, image)
	must(t, err)
	a := &applicationBed{bed: b, dir: application(t, twoFunctions)}
	a.write("greet/goodbye/Dockerfile", "# syntax="+strings.TrimPrefix(syntax, "docker.io/")+"\nFROM scratch\nCOPY app.mjs /\nENTRYPOINT [\"/app.mjs\"]\n")
	build := func() result {
		return b.buildTemplate("-f", filepath.Join(a.dir, "template.yaml"), "--target", "GoodbyeFunction")
	}
	first := build().ok(t)
	broken, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{{Files: []testenv.File{{Path: "empty"}}}}})
	must(t, err)
	_, err = b.Registry.Push(syntax, broken)
	must(t, err)
	a.write("template.lock", "version: 1\nimages:\n  "+syntax+": {digest: '"+digest+"', linux/amd64: '"+digest+"'}\n")
	wantDigests(t, build().ok(t), first)
	must(t, os.Remove(filepath.Join(a.dir, "template.lock")))
	if r := build(); r.code == 0 {
		t.Errorf("the frontend is still the first one:\n%s", r.stderr)
	}
}
