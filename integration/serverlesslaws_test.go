package integration

import (
	"archive/tar"
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

	"github.com/samforge/samforge/integration/testenv"
)

// lawsBed is a test bed with two runtimes that take Node.js from one image, and newer images of
// both runtimes.
type lawsBed struct {
	*bed
	npm          *testenv.NPMRegistry
	file, bumped string // build files with the runtimes, and with the newer ones
}

// newLawsBed starts a test bed with build files that pairsFile or cdkFile writes.
func newLawsBed(t *testing.T, file func(t *testing.T, node string, runtimes ...string) string) *lawsBed {
	t.Helper()
	const newerPython, newerJava = "public.ecr.aws/sam/build-python3.12:1.150.0-20251211000000", "public.ecr.aws/sam/build-java21:1.150.0-20251211000001"
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	b.base(newerPython, "python3.12", "amd64", "arm64")
	b.base(newerJava, "java21", "amd64", "arm64")
	b.Registry.Reset()
	return &lawsBed{
		bed: b, npm: npm,
		file:   file(t, testenv.Lambda20Base, testenv.Python312Base, testenv.Java21Base),
		bumped: file(t, testenv.Lambda20Base, newerPython, newerJava),
	}
}

// pairsFile writes a build file for several runtimes with one node image.
func pairsFile(t *testing.T, node string, runtimes ...string) string {
	t.Helper()
	path := pairFile(t, runtimes[0], node, "")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer file.Close()
	for _, runtime := range runtimes[1:] {
		_, err := fmt.Fprintf(file, "  - {image: '%s', node: '%s'}\n", runtime, node)
		must(t, err)
	}
	return path
}

// args are the arguments that build and push the targets of a build file.
func (b *lawsBed) args(file string, more ...string) []string {
	return append([]string{"-f", file, "--repo", b.repo("ci/sls"), "--push",
		"--mirror", "https://registry.npmjs.org/=" + b.npm.URL() + "/"}, more...)
}

// forBoth are args for both platforms.
func (b *lawsBed) forBoth(file string, more ...string) []string {
	return b.args(file, append([]string{"--platform", "linux/amd64,linux/arm64"}, more...)...)
}

// forget resets the registries' counts to zero.
func (b *lawsBed) forget() {
	b.Registry.Reset()
	b.npm.Reset()
}

// wantNoLayer fails the test if a layer was pulled from a repository other than those allowed.
func (b *lawsBed) wantNoLayer(t *testing.T, but ...string) {
	t.Helper()
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" && !slices.Contains(but, p.Repository) {
			t.Errorf("%s of %s was pulled", p.Digest, p.Repository)
		}
	}
}

// wantNoNPM fails the test if the npm registry got any request.
func (b *lawsBed) wantNoNPM(t *testing.T) {
	t.Helper()
	if n := b.npm.Requests(); n > 0 {
		t.Errorf("the npm registry got %d requests, want none", n)
	}
}

var (
	anyStep = regexp.MustCompile(`(?m)^#(\d+) (?:\[.*?\] )?(.+)$`)
	// Steps that are never cached, or so small that no cache has them.
	freeStep = regexp.MustCompile(`^(building with|the builder answers|load (metadata|build definition)|resolve|download|importing|write|make|assemble|exporting) |@sha256:`)
)

// worked returns the steps of plain progress that did work: those that did not come from a cache
// and are not done every time.
func worked(progress string) []string {
	names, cached := map[string]string{}, map[string]bool{}
	for _, line := range anyStep.FindAllStringSubmatch(progress, -1) {
		number, text := line[1], line[2]
		if _, ok := names[number]; !ok {
			names[number] = text
		}
		// A layer from a local cache is unpacked when it is found.
		cached[number] = cached[number] || text == "CACHED" || strings.HasPrefix(text, "extracting sha256:")
	}
	var steps []string
	for number, name := range names {
		if !cached[number] && !freeStep.MatchString(name) {
			steps = append(steps, name)
		}
	}
	slices.Sort(steps)
	return steps
}

func wantWorked(t *testing.T, r result, want ...string) {
	t.Helper()
	if got := worked(r.stderr); !slices.Equal(got, want) {
		t.Errorf("these steps did work: %q, want %q\n%s", got, want, r.stderr)
	}
}

func wantDigests(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || digestOf(got[i]) != digestOf(want[i]) {
			t.Fatalf("the images are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Laws 3 and 4, after one cold build. Each subtest continues from the one before.
func TestServerlessLaws(t *testing.T) {
	t.Parallel()
	b := newLawsBed(t, pairsFile)
	r := b.build(b.forBoth(b.file)...)
	first := r.ok(t)
	if len(first) != 3*4 {
		t.Fatalf("stdout has %d lines, want an index and two members for each of 4 images:\n%s", len(first), r.stdout)
	}
	t.Run("law 3: npm runs once for all runtimes, variants and platforms", func(t *testing.T) {
		if n := steps(r.stderr, npmStep); n != 1 {
			t.Errorf("npm ran %d times, want once:\n%s", n, r.stderr)
		}
		// npm requests the archive of a package once for each place in the tree.
		if want := fmt.Sprintf(" added %d packages in ", b.npm.Tarballs()); !strings.Contains(r.stderr, want) {
			t.Errorf("the npm registry was asked for %d archives, and npm does not say %q", b.npm.Tarballs(), want)
		}
	})
	t.Run("law 3: newer runtime images run nothing", func(t *testing.T) {
		b.forget()
		r := b.build(b.forBoth(b.bumped)...)
		bumped := r.ok(t)
		wantWorked(t, r)
		b.wantNoNPM(t)
		b.wantNoLayer(t)
		for i := range bumped {
			if digestOf(bumped[i]) == digestOf(first[i]) {
				t.Errorf("%s is the image of the older runtime", bumped[i])
			}
		}
	})
	t.Run("law 3: another version of the framework runs npm and nothing else", func(t *testing.T) {
		b.forget()
		r := b.build(b.forBoth(b.file, "--build-arg", "SERVERLESS_VERSION=3.40.0")...)
		r.ok(t)
		wantWorked(t, r, "npm ci serverless@3.40.0")
		b.wantNoLayer(t)
	})
	t.Run("law 4: another cold builder, rootless, with another npm registry", func(t *testing.T) {
		mirror := npmMirror(t, b.npm)
		mirror.Start()
		rootless := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{Rootless: true})
		pair := b.buildOn(rootless, b.args(b.file, "--target", "python3.12", "--mirror", "https://registry.npmjs.org/="+mirror.URL+npmMirrorPath+"/")...).ok(t)
		wantDigests(t, pair, membersOf(first, pair))
	})
}

// Laws 2 and 4 for what npm installs, with one package.
func TestCDKLaws(t *testing.T) {
	t.Parallel()
	b := newLawsBed(t, cdkFile)
	t.Run("law 2: a cache makes a fresh builder as good as the first", b.caches)
	t.Run("law 2: so does a cache inside the images", b.inlineCache)
	t.Run("law 4: the times follow SOURCE_DATE_EPOCH", func(t *testing.T) {
		b.forget()
		lines := b.build(b.args(b.file, "--target", "python3.12", "--build-arg", "SOURCE_DATE_EPOCH=1700000000")...).ok(t)
		b.wantNoNPM(t)
		b.wantTimes(testenv.Python312Base, lines[0], "amd64", time.Unix(1700000000, 0))
	})
}

// membersOf returns those lines whose tags are among the other ones.
func membersOf(lines, others []string) (members []string) {
	for _, other := range others {
		tag, _, _ := strings.Cut(other, "@")
		for _, line := range lines {
			if strings.HasPrefix(line, tag+"@") {
				members = append(members, line)
			}
		}
	}
	return members
}

// wantTimes fails the test unless the image and all files that it adds to its base have this time.
func (b *bed) wantTimes(base, ref, arch string, want time.Time) {
	b.t.Helper()
	below, err := b.Registry.ReadImage(b.t.Context(), base, "linux/"+arch, testenv.OnlyLayers(1000))
	must(b.t, err)
	image, err := b.Registry.ReadImage(b.t.Context(), ref, "linux/"+arch, testenv.OnlyLayers(len(below.Layers)))
	must(b.t, err)
	if !image.Created.Equal(want) {
		b.t.Errorf("%s for %s was created at %s, want %s", ref, arch, image.Created, want)
	}
	for name, file := range image.Files {
		if !file.ModTime.Equal(want) {
			b.t.Errorf("%s for %s has the time %s, want %s", name, arch, file.ModTime, want)
		}
	}
}

// caches tests the caches that are stored apart from the images, one for each target. Builders with
// no state and no runc import each of them: any exec would fail.
func (b *lawsBed) caches(t *testing.T) {
	const target = "python3.12"
	local := filepath.Join(t.TempDir(), "cache")
	imports := map[string]string{
		"mode=max": "type=registry,ref=" + b.repo("cache/max:{{.Target}}"),
		"mode=min": "type=registry,ref=" + b.repo("cache/min:{{.Target}}"),
		"local":    "type=local,src=" + local + "/{{.Target}}",
	}
	first := b.build(b.args(b.file, "--target", target,
		"--cache-to", imports["mode=max"]+",mode=max", "--cache-to", imports["mode=min"]+",mode=min",
		"--cache-to", "type=local,mode=max,dest="+local+"/{{.Target}}")...).ok(t)
	build := func(t *testing.T, options testenv.BuildkitdOptions, from, file string, more ...string) result {
		fresh := startBuildkitd(t, b.Registry, options)
		b.forget()
		return b.buildOn(fresh, b.args(file, append([]string{"--target", target, "--cache-from", imports[from]}, more...)...)...)
	}
	for name := range imports {
		t.Run(name+": unchanged", func(t *testing.T) {
			r := build(t, testenv.BuildkitdOptions{NoRunc: true}, name, b.file)
			wantDigests(t, r.ok(t), first)
			b.wantNoLayer(t)
			if name != "local" { // the layers come from it at once, and that takes work
				wantWorked(t, r)
			}
		})
	}
	for _, name := range []string{"mode=max", "mode=min"} {
		t.Run(name+": newer runtime images", func(t *testing.T) {
			r := build(t, testenv.BuildkitdOptions{NoRunc: true}, name, b.bumped)
			r.ok(t)
			wantWorked(t, r)
			b.wantNoLayer(t)
		})
	}
	t.Run("another version of the package needs only the node image", func(t *testing.T) {
		r := build(t, testenv.BuildkitdOptions{}, "mode=max", b.file, "--build-arg", "AWS_CDK_VERSION=2.1148.0")
		r.ok(t)
		wantWorked(t, r, "check that aws-cdk@2.1148.0 runs on linux/amd64", "copy aws-cdk@2.1148.0", "npm install aws-cdk@2.1148.0")
		b.wantNoLayer(t, "ecr/lambda/nodejs", "cache/max") // which has the plugin's directories, some bytes
	})
}

// inlineCache tests the cache inside each image. It works for builds of several targets, because
// each target has its own.
func (b *lawsBed) inlineCache(t *testing.T) {
	build := func(d *testenv.Buildkitd, file string, more ...string) result {
		return b.buildOn(d, b.forBoth(file, append([]string{"--repo", b.repo("ci/inline"), "--cache-to", "type=inline"}, more...)...)...)
	}
	first := build(b.Buildkitd, b.file).ok(t)
	var from []string
	for _, line := range first {
		if tag, _, _ := strings.Cut(line, "@"); !strings.Contains(tag, "-linux-") { // an index
			from = append(from, "--cache-from", tag)
		}
	}
	for name, file := range map[string]string{"unchanged": b.file, "newer runtime images": b.bumped} {
		t.Run(name, func(t *testing.T) {
			fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
			b.forget()
			r := build(fresh, file, from...)
			if lines := r.ok(t); file == b.file {
				wantDigests(t, lines, first)
			}
			wantWorked(t, r)
			b.wantNoLayer(t)
		})
	}
}

// Law 8 for a framework that contains programs: each image has those of its own architecture. npm
// chooses them without running a program of the other architecture.
func TestOsls(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	r := b.build("--repo", b.repo("ci/sls"), "--target", "serverless", "--platform", "linux/amd64,linux/arm64", "--push",
		"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/", frameworkContext(t, "version: 4.3.1, flavor: osls", nil))
	lines := r.ok(t)
	if n := steps(r.stderr, oslsStep); n != 2 {
		t.Errorf("npm ran %d times, want once for each architecture", n)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/"+arch)
		must(t, err)
		programs := 0
		for path, file := range image.Files {
			if !strings.HasPrefix(path, "/opt/harness/serverless/") || file.Type != tar.TypeReg || !(file.Mode&0o111 != 0 || strings.HasSuffix(path, ".node")) {
				continue
			}
			data, err := image.ReadFile(path)
			must(t, err)
			program, err := elf.NewFile(bytes.NewReader(data))
			if err != nil {
				continue // a script
			}
			programs++
			if program.Machine != machines[arch] {
				t.Errorf("%s is for %s in the image for %s", path, program.Machine, arch)
			}
		}
		if programs == 0 {
			t.Errorf("the framework for %s has no program: where is esbuild?", arch)
		}
		b.wantTimes(testenv.Python312Base, lines[0], arch, time.Unix(315532800, 0))
	}
	output, err := b.inside(b.Buildkitd, lines[0], "serverless --version; sls --version; esbuild=$(find /opt/harness/serverless -path '*/bin/esbuild' -size +1000k); $esbuild --version")
	if err != nil || strings.Count(output, "4.3.1") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}

var oslsStep = regexp.MustCompile(`(?m)^#(\d+) \[?.*npm ci osls@4\.3\.1$`)
