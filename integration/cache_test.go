package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/llbgen"
)

// doors returns two functions that build one image on any builder and push it: with the command,
// and with docker buildx.
func (x *buildx) doors(dir, target string) map[string]func(d *testenv.Buildkitd, args ...string) result {
	file := filepath.Join(dir, llbgen.Filename)
	return map[string]func(*testenv.Buildkitd, ...string) result{
		"samforge": func(d *testenv.Buildkitd, args ...string) result {
			x.t.Helper()
			args = append([]string{"-f", file, "--target", target, "--push", "-t", x.repo("ci/cached:1")}, args...)
			if x.npm != "" {
				args = append(args, "--mirror", "https://registry.npmjs.org/="+x.npm+"/")
			}
			return x.bed.buildOn(d, args...)
		},
		"buildx": func(d *testenv.Buildkitd, args ...string) result {
			x.t.Helper()
			other := x.bed.newBuildx(d)
			other.npm = x.npm
			return other.build(dir, append([]string{"--target", target, "--push", "-t", x.repo("ci/cached:1")}, args...)...)
		},
	}
}

// Law 2 through both doors: with any kind of cache, a fresh builder pulls no layer and copies
// nothing.
func TestCaches(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	dir := x.folder(samFile)
	local := t.TempDir()
	for door, build := range x.doors(dir, "nodejs22.x") {
		for name, c := range map[string]struct{ to, from string }{
			"registry min":  {"type=registry,ref=" + x.repo("cache/min") + ",mode=min", "type=registry,ref=" + x.repo("cache/min")},
			"registry max":  {"type=registry,ref=" + x.repo("cache/max") + ",mode=max", "type=registry,ref=" + x.repo("cache/max")},
			"registry zstd": {"type=registry,ref=" + x.repo("cache/zstd") + ",mode=max,compression=zstd", "type=registry,ref=" + x.repo("cache/zstd")},
			"inline":        {"type=inline", "type=registry,ref=" + x.repo("ci/cached:1")},
			"local":         {"type=local,dest=" + local, "type=local,src=" + local},
		} {
			t.Run(door+"/"+name, func(t *testing.T) {
				build(x.Buildkitd, "--cache-to", c.to).ok(t)
				want := x.digestOfTag(x.repo("ci/cached:1"))
				fresh := startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{})
				x.Registry.Reset()
				again := []string{"--cache-from", c.from}
				if name == "inline" {
					again = append(again, "--cache-to", c.to)
				}
				r := build(fresh, again...)
				r.ok(t)
				wantWorked(t, r)
				if got := x.digestOfTag(x.repo("ci/cached:1")); got != want {
					t.Errorf("the image is %s, at first %s", got, want)
				}
				for _, p := range x.Registry.Pulls() {
					if p.Kind == "layer" && p.Repository != "samforge-frontend" {
						t.Errorf("%s of %s was pulled", p.Digest, p.Repository)
					}
				}
			})
		}
		t.Run(door+"/a cache that cannot be read is left out", func(t *testing.T) {
			r := build(x.Buildkitd, "--cache-from", "type=registry,ref="+x.repo("cache/nothing"))
			r.ok(t)
			if !strings.Contains(r.stderr, "cache/nothing") {
				t.Errorf("nothing mentions the cache:\n%s", r.stderr)
			}
		})
		t.Run(door+"/a cache that cannot be written is an error, unless ignored", func(t *testing.T) {
			to := "type=registry,ref=127.0.0.1:1/cache"
			if r := build(x.Buildkitd, "--cache-to", to); r.code != 1 || !strings.Contains(r.stderr, "127.0.0.1:1") {
				t.Errorf("exit code %d:\n%s", r.code, r.stderr)
			}
			build(x.Buildkitd, "--cache-to", to+",ignore-error=true").ok(t)
		})
	}
}

// With -q samforge writes only its warnings to standard error, and the libraries nothing: containerd
// logs an error when two writers meet at a local cache.
func TestQuietIsQuiet(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	folder := t.TempDir()
	for range 2 {
		args := []string{"-q", "-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push", "--cache-to", "type=local,mode=max,dest=" + folder}
		if r := b.build(args...); len(r.ok(t)) != 1 || !warnsOnly(r) {
			t.Errorf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
		}
	}
}

// warnsOnly reports whether standard error has the warning of a download that no checksum is known for,
// and nothing else.
func warnsOnly(r result) bool {
	return strings.HasPrefix(r.stderr, "WARNING: UnverifiedDownload: https://app.harness.io/") && strings.Count(r.stderr, "\n") == 1
}

// Law 2 for the framework through docker buildx; the command's caches are in TestCDKLaws.
func TestServerlessCacheThroughBuildx(t *testing.T) {
	t.Parallel()
	b := newLawsBed(t, pairsFile)
	x := b.newBuildx(b.Buildkitd)
	x.npm = b.npm.URL()
	file, err := os.ReadFile(b.file)
	must(t, err)
	dir := x.folder(string(file))
	build := x.doors(dir, "python3.12-serverless")["buildx"]
	cache := "type=registry,ref=" + x.repo("cache/sls")
	build(b.Buildkitd, "--cache-to", cache+",mode=max").ok(t)
	want := x.digestOfTag(x.repo("ci/cached:1"))

	fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	b.forget()
	r := build(fresh, "--cache-from", cache)
	r.ok(t)
	wantWorked(t, r)
	b.wantNoNPM(t)
	b.wantNoLayer(t, "samforge-frontend")
	if got := x.digestOfTag(x.repo("ci/cached:1")); got != want {
		t.Errorf("the image is %s, at first %s", got, want)
	}
}

// Law 2 for several targets of several platforms: the index and its members, which separate builds
// push, come from the cache.
func TestCachesOfIndexes(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
	b.base(testenv.Python312Base, "python3.12", "amd64", "arm64")
	b.plugin("docker.io/harness/aws-sam-plugin:newer", "amd64", "arm64")
	file := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(file, []byte("kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}\nruntimes:\n  - {image: "+testenv.Node22Base+"}\n  - {image: "+testenv.Python312Base+"}\n"), 0o600))
	for _, c := range []struct {
		to   string
		from []string
	}{
		{"type=registry,ref=" + b.repo("cache") + ":{{.Target}},mode=max", []string{"--cache-from", "type=registry,ref=" + b.repo("cache") + ":{{.Target}}"}},
		{"type=inline", []string{"--cache-from", b.repo("ci/sam:1.1.2-nodejs22.x-1.144.0"), "--cache-from", b.repo("ci/sam:1.1.2-python3.12-1.143.0"), "--cache-to", "type=inline"}},
	} {
		args := []string{"-f", file, "--repo", b.repo("ci/sam"), "--push", "--platform", "linux/amd64,linux/arm64"}
		first := b.build(append(args, "--cache-to", c.to)...).ok(t)
		for range 2 {
			d := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
			b.Registry.Reset()
			wantDigests(t, b.buildOn(d, append(args, c.from...)...).ok(t), first)
			for _, p := range b.Registry.Pulls() {
				if p.Kind == "layer" {
					t.Errorf("%s: %s of %s was pulled", c.to, p.Digest, p.Repository)
				}
			}
		}
		// A newer plugin is not in the cache.
		d := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
		b.buildOn(d, append(append(args, c.from...), "--build-arg", "HARNESS_BASE_IMAGE=harness/aws-sam-plugin:newer", "--repo", b.repo("ci/other"))...).ok(t)
	}
}
