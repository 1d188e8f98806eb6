package integration

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/build"
)

// After a build samforge says what it did: first it builds, then everything comes from the cache, and
// what is in the registry is skipped. Where nothing leaves the builder, it says how it would.
func TestSummary(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	args := append([]string{"build", "--builder", b.Buildkitd.Addr, "-f", example(t, "sam/matrix.yaml"), "--repo", b.repo("ci/summary")}, b.mirrors()...)
	const hint = "not pushed, the result is only in the builder's cache: add --push, --load or --output"

	kept := run(t, b.env, args...)
	if lines := kept.ok(t); !strings.Contains(kept.stderr, hint) || !strings.Contains(kept.stderr, " built in ") && !strings.Contains(kept.stderr, plural(len(lines))+" in ") {
		t.Errorf("a build without --push says\n%s", kept.stderr)
	}
	quiet := run(t, b.env, append(args, "-q", "--target", "python3.12")...)
	if quiet.ok(t); !strings.HasSuffix(quiet.stderr, "\nWARNING: "+hint+"\n") || strings.Count(quiet.stderr, "\n") != 2 {
		t.Errorf("a build with -q says\n%s", quiet.stderr)
	}
	for _, name := range []string{"--push", "--output=type=oci,dest=" + filepath.Join(t.TempDir(), "images")} {
		r := run(t, b.env, append(args, name, "--target", "python3.12")...)
		if r.ok(t); strings.Contains(r.stderr, hint) || !strings.Contains(r.stderr, "samforge: 1 image in ") || !strings.Contains(r.stderr, "1 from the cache; sent ") {
			t.Errorf("a build with %s says\n%s", name, r.stderr)
		}
	}
	r := run(t, b.env, append(args, "--push", "--skip-existing", "--summary", "json")...)
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	var s build.Summary
	must(t, json.Unmarshal([]byte(r.stdout), &s))
	results := map[string]string{}
	for _, image := range s.Images {
		results[image.Name] = image.Result
		if len(image.References) == 0 || !strings.HasSuffix(image.References[0], "@"+image.Digest) {
			t.Errorf("%s has the references %q and the digest %s", image.Name, image.References, image.Digest)
		}
	}
	if len(results) != len(matrixBases) || results["python3.12"] != "skipped" || results["nodejs22.x"] != "cached" || !s.Pushed || !s.Exported {
		t.Errorf("the summary is %+v", s)
	}
	again := run(t, b.env, append(args, "--no-cache", "--summary", "none", "--push")...)
	if again.ok(t); strings.Contains(again.stderr, "samforge: "+plural(len(matrixBases))) {
		t.Errorf("--summary none says\n%s", again.stderr)
	}
}

// The pushed bytes of the summary are those that the registry was sent: nothing the second time, and
// nothing of a base, whose layers are mounted.
func TestPushedBytes(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for _, c := range []struct {
		args    []string
		uploads bool
	}{
		{b.seedPush(), true},
		{b.seedPush(), false},
		{append(b.seedPush("--no-cache"), "--label", "another=config"), true},
		{b.seedPush("--sbom", "true"), true}, // the attestation
		{append(b.mirrors(), "build", "-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/never"), "--output", "type=registry,name="+b.repo("ci/named:1")), true},
	} {
		b.Registry.Reset()
		r := run(t, b.env, append(c.args, "--builder", b.Buildkitd.Addr, "--summary", "json")...)
		if r.code != 0 {
			t.Fatal(r.stderr)
		}
		var s build.Summary
		must(t, json.Unmarshal([]byte(r.stdout), &s))
		var want int64
		for _, upload := range b.Registry.Uploads() {
			blob, err := http.Head("http://" + b.Registry.Addr + "/v2/" + upload.Repository + "/blobs/" + upload.Digest)
			must(t, err)
			must(t, blob.Body.Close())
			want += blob.ContentLength
		}
		if s.PushedBytes == nil || *s.PushedBytes != want || want > 0 != c.uploads {
			t.Errorf("%q: the registry was sent %d bytes, and the summary is\n%s", c.args, want, r.stdout)
		}
	}
	named := run(t, b.env, append(b.mirrors(), "build", "--builder", b.Buildkitd.Addr, "-f", example(t, "sam/samforge.yaml"), "--output", "type=registry,name="+b.repo("ci/named:1"))...)
	if lines := named.ok(t); len(lines) != 1 || lines[0] != b.repo("ci/named:1")+"@"+b.digestOfTag(b.repo("ci/named:1")) || !strings.Contains(named.stderr, ", pushed 0B\n") {
		t.Errorf("an output with a name of its own gives %q\n%s", lines, named.stderr)
	}
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY data /\n", "data": "of a file"})
	for _, want := range []string{`, pushed [1-9][0-9.]*k?B\n`, `, pushed 0B\n`} {
		r := b.step(dir, "BUILDKIT_HOST="+b.Buildkitd.Addr, "PLUGIN_REPO="+b.repo("ci/pushed"), "PLUGIN_TAGS=1")
		if r.ok(t); !regexp.MustCompile(want).MatchString(r.stderr) {
			t.Errorf("the summary is not %s:\n%s", want, r.stderr)
		}
	}
}

// A builder that does not allow --network host is answered by how it would.
func TestRefusedPrivilege(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	r := run(t, b.env, b.seedPush("--builder", b.Buildkitd.Addr, "--network", "host")...)
	if r.code != 1 || !strings.Contains(r.stderr, "--allow-insecure-entitlement network.host") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

// In the log of a CI system the progress is collapsed, and the mistakes are annotations of their lines.
func TestWorkflowLogs(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	dir := checkout(t, map[string]string{
		"Dockerfile": "FROM scratch as made\nCOPY Dockerfile /\n", "wrong.yaml": "kind: sam\nplugin: {verison: 1}\n",
	})
	step := []string{"BUILDKIT_HOST=" + b.Buildkitd.Addr, "PLUGIN_REPO=" + b.repo("ci/log"), "PLUGIN_TAGS=1"}
	github := b.step(dir, append(step, "GITHUB_ACTIONS=true")...)
	github.ok(t)
	if _, rest, ok := strings.Cut(github.stderr, "::group::samforge: progress\n"); !ok || !strings.Contains(rest, "\n::endgroup::\nsamforge: 1 image in ") ||
		!strings.Contains(rest, "\n::warning title=samforge,file=Dockerfile,line=1::FromAsCasing: ") {
		t.Errorf("the log on GitHub is\n%s", github.stderr)
	}
	gitlab := b.step(dir, append(step, "GITLAB_CI=true")...)
	gitlab.ok(t)
	if !strings.Contains(gitlab.stderr, "[collapsed=true]\r\x1b[0Ksamforge: progress\n") || !strings.Contains(gitlab.stderr, "\x1b[0Ksection_end:") || !strings.Contains(gitlab.stderr, "\nWARNING: Dockerfile:1: FromAsCasing: ") {
		t.Errorf("the log on GitLab is\n%q", gitlab.stderr)
	}
	wrong := run(t, []string{"GITHUB_ACTIONS=true"}, "build", "-f", filepath.Join(dir, "wrong.yaml"))
	if wrong.code != 2 || !strings.Contains(wrong.stderr, "wrong.yaml,line=2,col=10::") || strings.Contains(wrong.stderr, "samforge: wrong") {
		t.Errorf("mistakes on GitHub are\n%s", wrong.stderr)
	}
}

// The findings of check are annotations of their lines, and so is what fails a build.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	file := filepath.Join(checkout(t, map[string]string{"samforge.yaml": samFile}), "samforge.yaml")
	github := []string{"GITHUB_ACTIONS=true"}
	if r := run(t, github, "check", "-f", file); !strings.Contains(r.stderr, "::warning title=samforge,file=samforge.yaml,line=") {
		t.Errorf("check says\n%s%s", r.stdout, r.stderr)
	}
	r := run(t, append(github, b.env...), append([]string{"build", "-f", file, "--builder", b.Buildkitd.Addr}, b.mirrors()...)...)
	if r.code != 1 || !strings.Contains(r.stderr, "::error title=samforge,file=samforge.yaml,line=") {
		t.Errorf("a build whose base is not there ends with %d:\n%s", r.code, r.stderr)
	}
}

func plural(images int) string { return string(rune('0'+images)) + " images" }
