package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/plan"
)

// lockBed is a test bed with a build file in its own folder.
type lockBed struct {
	*buildx
	dir string
}

// newLockBed returns a bed with the build file of the SAM stand-ins, for two architectures.
func newLockBed(t *testing.T) *lockBed {
	t.Helper()
	x := newSAMBuildx(t)
	return &lockBed{buildx: x, dir: x.folder(samFile)}
}

// samforge runs a verb that needs no builder on the build file.
func (b *lockBed) samforge(verb string, args ...string) result {
	b.t.Helper()
	args = append([]string{verb, "-f", filepath.Join(b.dir, "samforge.yaml")}, args...)
	return run(b.t, b.env, append(args, b.mirrors()...)...)
}

// push builds the image and returns its digest.
func (b *lockBed) push(d *testenv.Buildkitd, args ...string) result {
	b.t.Helper()
	return b.buildOn(d, append([]string{"-f", filepath.Join(b.dir, "samforge.yaml"), "--repo", b.repo("ci/lock"), "--push"}, args...)...)
}

func (b *lockBed) lockFile() string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, "samforge.lock"))
	must(b.t, err)
	return string(data)
}

// layersPulled counts the layers that any client fetched.
func (b *lockBed) layersPulled() (n int) {
	for _, pull := range b.Registry.Pulls() {
		if pull.Kind == "layer" {
			n++
		}
	}
	return n
}

// tamper replaces a line of the lock file that contains part.
func (b *lockBed) tamper(t *testing.T, part, line string) {
	t.Helper()
	before := b.lockFile()
	t.Cleanup(func() { must(t, os.WriteFile(filepath.Join(b.dir, "samforge.lock"), []byte(before), 0o600)) })
	lines := strings.Split(before, "\n")
	for i := range lines {
		if strings.Contains(lines[i], part) {
			lines[i] = line
			must(t, os.WriteFile(filepath.Join(b.dir, "samforge.lock"), []byte(strings.Join(lines, "\n")), 0o600))
			return
		}
	}
	t.Fatalf("no line of the lock file has %q:\n%s", part, before)
}

// after returns the nth line below the one with part in the lock file.
func (b *lockBed) after(part string, n int) string {
	_, rest, _ := strings.Cut(b.lockFile(), part)
	return strings.TrimSpace(strings.Split(rest, "\n")[n])
}

// With a lock the build stays the same, through every door, whatever changes upstream.
func TestLockfile(t *testing.T) {
	t.Parallel()
	b := newLockBed(t)
	base := testenv.Node22Base
	if r := b.push(b.Buildkitd, "--locked"); r.code != 2 || !strings.Contains(r.stderr, "--locked, and there is no samforge.lock: make it with samforge lock, and commit it") {
		t.Errorf("--locked without a lock file: exit code %d, %s", r.code, r.stderr)
	}
	unlocked := digestOf(b.push(b.Buildkitd).ok(t)[0])

	b.Registry.Reset()
	r := b.samforge("lock")
	r.ok(t)
	if !strings.Contains(r.stdout, "added") || !strings.Contains(r.stdout, base+" (linux/arm64)") {
		t.Errorf("samforge lock says\n%s", r.stdout)
	}
	if n := b.layersPulled(); n > 0 {
		t.Errorf("%d layers were pulled to lock", n)
	}
	if r := b.samforge("lock"); r.code != 0 || r.stdout != "" {
		t.Errorf("locking again changes something: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := b.samforge("outdated"); r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, "samforge.lock is up to date") {
		t.Errorf("a new lock is outdated: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if got := digestOf(b.push(b.Buildkitd, "--locked").ok(t)[0]); got != unlocked {
		t.Errorf("a lock of the current state changes the image from %s to %s", unlocked, got)
	}

	t.Run("pinned images are checked", func(t *testing.T) {
		other := b.after("docker:28.5.2-cli:\n", 0)
		for name, c := range map[string]struct{ part, line, want string }{
			"another image for the platform": {b.after(base+":\n", 1), "    linux/amd64: " + strings.TrimPrefix(b.after(base+":\n", 2), "linux/arm64: "), "has another image for it"},
			"an image that does not exist":   {b.after(base+":\n", 0), "    digest: sha256:" + strings.Repeat("0", 64), "which is not in its registry, or not any more: run samforge lock --update"},
			"another image's digest":         {b.after(base+":\n", 0), "    " + other, "which is not in its registry"},
			"another checksum":               {goTemplatePath + "amd64/go-template", "  https://app.harness.io" + goTemplatePath + "amd64/go-template: sha256:" + strings.Repeat("1", 64), "go-template"},
		} {
			t.Run(name, func(t *testing.T) {
				b.tamper(t, c.part, c.line)
				fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
				b.wantFailure(b.push(fresh, "--locked", "--platform", "linux/amd64"), c.want)
				if r := b.samforge("plan", "--platform", "linux/amd64"); strings.Contains(c.want, "registry") && (r.code != 1 || !strings.Contains(r.stderr, c.want)) {
					t.Errorf("samforge plan ends with %d and says\n%s", r.code, r.stderr)
				}
			})
		}
	})
	t.Run("another build file, a newer version, a half", func(t *testing.T) {
		b.tamper(t, "version: 1", "version: 2")
		if r := b.push(b.Buildkitd); r.code != 2 || !strings.Contains(r.stderr, `samforge.lock:3:10: version: found "2", and this samforge reads version 1`) {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
		whole := b.lockFile()
		must(t, os.WriteFile(filepath.Join(b.dir, "samforge.lock"), []byte(whole[:len(whole)*2/3]), 0o600))
		if r := b.push(b.Buildkitd, "--locked"); r.code == 0 {
			t.Error("two thirds of a lock are taken for a lock")
		}
		must(t, os.WriteFile(filepath.Join(b.dir, "samforge.lock"), []byte("version: 1\nimages:\n  example.com/other:1:\n    digest: sha256:"+strings.Repeat("0", 64)+"\n"), 0o600))
		b.wantFailure(b.push(b.Buildkitd, "--locked"), "--locked, and samforge.lock does not have ", " for linux/amd64: run samforge lock")
	})
	t.Run("a tag moves", func(t *testing.T) {
		b.base(base, "python3.11", "amd64", "arm64")
		fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
		if got := digestOf(b.push(fresh, "--locked").ok(t)[0]); got != unlocked {
			t.Errorf("on another machine, after the tag moved, the image is %s, want %s", got, unlocked)
		}
		x := b.build(b.dir, "--push", "-t", b.repo("ci/lock:buildx"), "--build-arg", "SAMFORGE_LOCKED=true")
		x.ok(t)
		if got := b.digestOfTag(b.repo("ci/lock:buildx")); got != unlocked {
			t.Errorf("through docker buildx the image is %s, want %s", got, unlocked)
		}
		r := b.samforge("outdated")
		if r.code != 1 || !strings.Contains(r.stdout, "moved") || !strings.Contains(r.stdout, base) || strings.Contains(r.stdout, "plugin") {
			t.Errorf("outdated exits with %d and says\n%s%s", r.code, r.stdout, r.stderr)
		}
		if r := b.samforge("lock", "--update", "plugin"); r.code != 0 || r.stdout != "" {
			t.Errorf("updating the plugin changes something: %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		if r := b.samforge("lock", "--update", "nobody"); r.code != 2 || !strings.Contains(r.stderr, "--update nobody: samforge.lock would have no entry with that name") {
			t.Errorf("updating an unknown name: %d\n%s", r.code, r.stderr)
		}
		r = b.samforge("lock", "--update", "build-nodejs22")
		r.ok(t)
		if !strings.Contains(r.stdout, "moved") || !strings.Contains(r.stdout, " -> sha256:") {
			t.Errorf("the update says\n%s", r.stdout)
		}
		b.samforge("outdated").ok(t)
		if got := digestOf(b.push(fresh, "--locked").ok(t)[0]); got == unlocked {
			t.Error("the update did not change the image")
		}
	})
	t.Run("the Docker CLI for each platform, whatever stands first in its index", func(t *testing.T) {
		images := map[string]v1.Image{}
		for _, arch := range []string{"amd64", "arm64"} {
			image, err := testenv.DockerCLI(t.Context(), testenv.DockerCLIOptions{Version: "28.4.0", Arch: arch})
			must(t, err)
			images[arch] = image
		}
		index, err := testenv.OfficialIndex(append([]string{"386"}, testenv.DockerPlatforms()...), images["amd64"], images["arm64"])
		must(t, err)
		_, err = b.Registry.PushIndex("docker:28.4.0-cli", index)
		must(t, err)
		dir := b.folder(samFile + "docker: {version: 28.4.0}\n")
		run(t, b.env, append([]string{"lock", "-f", filepath.Join(dir, "samforge.yaml")}, b.mirrors()...)...).ok(t)
		data, err := os.ReadFile(filepath.Join(dir, "samforge.lock"))
		must(t, err)
		for arch, image := range images {
			digest, err := image.Digest()
			must(t, err)
			if want := "linux/" + arch + ": " + digest.String(); !strings.Contains(string(data), want) {
				t.Errorf("the lock does not have %s:\n%s", want, data)
			}
		}
	})
	t.Run("offline", func(t *testing.T) {
		r := run(t, b.env, "outdated", "-f", filepath.Join(b.dir, "samforge.yaml"), "--mirror", "public.ecr.aws=127.0.0.1:9", "--mirror", "docker.io=127.0.0.1:9", "--mirror", "https://app.harness.io/=http://127.0.0.1:9/")
		if r.code != 2 || !strings.Contains(r.stderr, "127.0.0.1:9") {
			t.Errorf("exit code %d, want 2 and the address: %s", r.code, r.stderr)
		}
	})
	left, err := os.ReadDir(b.dir)
	must(t, err)
	if len(left) != 2 {
		t.Errorf("the folder has %v, want only the build file and its lock", left)
	}
}

// A plan says what a build does, and pulls nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	b := newLockBed(t)
	planOf := func(args ...string) plan.Plan {
		t.Helper()
		r := b.samforge("plan", append([]string{"--repo", b.repo("ci/plan"), "--platform", "linux/amd64,linux/arm64", "--format", "json"}, args...)...)
		r.ok(t)
		var planned plan.Plan
		must(t, json.Unmarshal([]byte(r.stdout), &planned))
		return planned
	}
	before := planOf()
	if n := b.layersPulled(); n > 0 {
		t.Errorf("%d layers were pulled for a plan", n)
	}
	if len(before.Images) != 2 {
		t.Fatalf("the plan has %d images, want one for each platform", len(before.Images))
	}
	for _, image := range before.Images {
		base := image.Layers[0]
		if base.Action != plan.ActionMount || base.Blobs == 0 || base.Size == 0 || image.Existing != "" {
			t.Errorf("the base of %s: %+v, in the registry as %q", image.Platform, base, image.Existing)
		}
	}
	for _, source := range before.Sources {
		if want := map[bool]plan.Action{true: plan.ActionMount, false: plan.ActionPull}[strings.Contains(source.Name, "/sam/build-")]; source.Kind == "image" && source.Action != want {
			t.Errorf("%s for %s: %s, want %s", source.Name, source.Platform, source.Action, want)
		}
	}
	if !strings.Contains(strings.Join(before.Warnings, "\n"), "go-template is not checked against a known checksum: run samforge lock") {
		t.Errorf("warnings: %q", before.Warnings)
	}
	index := b.push(b.Buildkitd, "--repo", b.repo("ci/plan"), "--platform", "linux/amd64,linux/arm64").ok(t)[0]
	if after := planOf(); after.Images[0].Existing != digestOf(index) {
		t.Errorf("after the build the plan has %q in the registry, want %s", after.Images[0].Existing, index)
	}
	b.samforge("lock").ok(t)
	if locked := planOf("--locked"); strings.Contains(strings.Join(locked.Warnings, "\n"), "go-template") {
		t.Errorf("with a lock there are warnings: %q", locked.Warnings)
	}
	table := b.samforge("plan", "--repo", b.repo("ci/plan"))
	for _, want := range []string{"TARGET", "nodejs22.x", "linux/amd64", "plugin, go-template, docker", "mount", "SOURCE", "pull", "download", "1 image: 0 new, 1 with a tag that exists", "; pull "} {
		if !strings.Contains(table.stdout, want) {
			t.Errorf("the table does not have %q:\n%s%s", want, table.stdout, table.stderr)
		}
	}
	for format, want := range map[string]string{"svg": "<svg ", "dot": "digraph", "mermaid": "flowchart", "json": `"layers"`} {
		if r := b.samforge("graph", "--format", format); r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("graph --format %s: exit code %d\n%s%s", format, r.code, r.stdout, r.stderr)
		}
	}
	// This repository requires credentials.
	closed, err := testenv.StartRegistry(t.Context(), testenv.RegistryOptions{BasicAuth: true, Users: ciRegistry().Registry.Users})
	must(t, err)
	defer closed.Close()
	if r := b.samforge("plan", "--repo", closed.Addr+"/ci/plan"); r.code != 1 || !strings.Contains(r.stderr, "wants credentials for "+closed.Addr+"/ci/plan") || !strings.Contains(r.stderr, "docker login "+closed.Addr) {
		t.Errorf("without credentials: exit code %d\n%s", r.code, r.stderr)
	}
	if r := b.samforge("graph", "--format", "gif"); r.code != 2 {
		t.Errorf("an unknown format: exit code %d, want 2", r.code)
	}
}
