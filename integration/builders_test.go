package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"

	"github.com/samforge/samforge/integration/testenv"
)

// wideRuntimes are the runtimes of a matrix of 36 images, each for two
// architectures.
var wideRuntimes = []string{
	"java25", "java21", "java17.al2023", "java11.al2023", "java8.al2023", "java17", "java11", "java8.al2",
	"ruby4.0", "ruby3.4", "ruby3.3", "ruby3.2", "dotnet10", "dotnet9", "dotnet8", "dotnet6", "provided.al2023", "provided.al2",
}

// wideMatrix publishes the base images of wideRuntimes and writes the build file with a target for
// each runtime and architecture. It returns the file's path and the references of the images, in
// the file's order.
func (b *bed) wideMatrix(repo string) (file string, refs []string) {
	b.t.Helper()
	var text strings.Builder
	text.WriteString("kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}\nruntimes:\n")
	for _, runtime := range wideRuntimes {
		for _, arch := range []string{"amd64", "arm64"} {
			base := "public.ecr.aws/sam/build-" + runtime + ":1.144.0-20250911030138-" + strings.Replace(arch, "amd64", "x86_64", 1)
			b.base(base, runtime, arch)
			fmt.Fprintf(&text, "  - image: %s\n", base)
			refs = append(refs, repo+":1.1.2-"+runtime+"-1.144.0-linux-"+arch)
		}
	}
	file = filepath.Join(b.t.TempDir(), "samforge.yaml")
	must(b.t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file, refs
}

// several starts three buildkitds and returns the flags that name them.
func (b *bed) several() (builders []*testenv.Buildkitd, flags []string) {
	b.t.Helper()
	for range 3 {
		d := startBuildkitd(b.t, b.Registry, testenv.BuildkitdOptions{})
		builders, flags = append(builders, d), append(flags, "--builder", d.Addr)
	}
	return builders, flags
}

// pushes counts the pushed manifests by path. It lets one image through and holds back the others
// until they are released.
type pushes struct {
	release chan struct{}

	mu    sync.Mutex
	first string // path of the manifest that may pass
	puts  map[string]int
}

func (b *bed) countPushes() *pushes {
	p := &pushes{release: make(chan struct{}), puts: map[string]int{}}
	b.Registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/ci/") || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		if p.count(r) {
			return false
		}
		select {
		case <-p.release:
		case <-r.Context().Done():
		}
		return false
	})
	return p
}

// count records a request and reports whether it may pass at once. Builders look for a manifest
// (HEAD) before they put it.
func (p *pushes) count(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodPut {
		p.puts[r.URL.Path]++
	}
	if p.first == "" {
		p.first = r.URL.Path
	}
	return r.Method == http.MethodPut || p.first == r.URL.Path
}

// waitForPush returns when a manifest is in the registry.
func (b *bed) waitForPush() {
	b.t.Helper()
	for range 6000 {
		if b.Registry.Stats().ManifestPuts > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("nothing was pushed within a minute")
}

// wantPushed fails the test unless the printed references are these, in their order, and exist in
// the registry.
func (b *bed) wantPushed(lines, refs []string) {
	b.t.Helper()
	if len(lines) != len(refs) {
		b.t.Fatalf("stdout has %d lines, want %d:\n%s", len(lines), len(refs), strings.Join(lines, "\n"))
	}
	for i, ref := range refs {
		if !strings.HasPrefix(lines[i], ref+"@sha256:") {
			b.t.Errorf("line %d is %s, want %s", i, lines[i], ref)
			continue
		}
		image, err := b.Registry.ReadImage(b.t.Context(), ref, "linux/"+ref[strings.LastIndex(ref, "-")+1:])
		must(b.t, err)
		if image.Digest != digestOf(lines[i]) {
			b.t.Errorf("%s is %s in the registry, want %s", ref, image.Digest, digestOf(lines[i]))
		}
	}
}

// A builder that dies half way costs only its own time: the others build what it had not finished,
// and nothing is pushed twice.
func TestBuildersOneOfThreeDies(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	repo := b.repo("ci/sam")
	file, refs := b.wideMatrix(repo)
	builders, flags := b.several()
	pushes := b.countPushes()
	b.Registry.Reset()

	metadata := filepath.Join(t.TempDir(), "metadata.json")
	args := append([]string{"build", "--progress", "plain", "-f", file, "--repo", repo, "--push", "--metadata-file", metadata}, flags...)
	p := start(t, b.env, append(args, b.mirrors()...)...)
	b.waitForPush()
	builders[1].Kill()
	close(pushes.release)
	r := p.wait(t)

	b.wantPushed(r.ok(t), refs)
	if want := "WARNING: lost the builder " + builders[1].Addr; !strings.Contains(r.stderr, want) {
		t.Errorf("stderr does not say %q:\n%s", want, r.stderr)
	}
	if n := b.Registry.Stats().ManifestPuts; n != len(refs) || len(pushes.puts) != len(refs) {
		t.Errorf("%d manifests were put under %d names, want each of %d once: %v", n, len(pushes.puts), len(refs), pushes.puts)
	}
	var told map[string]any
	readJSON(t, metadata, &told)
	if len(told) != len(refs) {
		t.Errorf("--metadata-file has %d targets, want %d", len(told), len(refs))
	}
	for _, d := range []*testenv.Buildkitd{builders[0], builders[2]} {
		if len(b.built(d)) == 0 {
			t.Errorf("%s built nothing", d.Addr)
		}
	}

	t.Run("--skip-existing builds nothing again", func(t *testing.T) {
		b.Registry.Reset()
		again := append([]string{"build", "-f", file, "--repo", repo, "--push", "--skip-existing"}, flags...)
		b.wantPushed(run(t, b.env, append(again, b.mirrors()...)...).ok(t), refs)
		if n := b.Registry.Stats().ManifestPuts; n != 0 {
			t.Errorf("%d manifests were put", n)
		}
	})
}

// built returns how often a buildkitd began to build each target.
func (b *bed) built(d *testenv.Buildkitd) map[string]int {
	b.t.Helper()
	c, err := d.Client(b.t.Context())
	must(b.t, err)
	defer c.Close()
	history, err := c.ControlClient().ListenBuildHistory(b.t.Context(), &controlapi.BuildHistoryRequest{EarlyExit: true})
	must(b.t, err)
	targets := map[string]int{}
	for {
		event, err := history.Recv()
		if errors.Is(err, io.EOF) {
			return targets
		}
		must(b.t, err)
		targets[event.Record.FrontendAttrs["target"]]++
	}
}

// Each runtime goes to the same builder again, whatever the order of the flags. A builder that does
// not answer is reported and left out.
func TestBuildersOneIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	const dead = "tcp://127.0.0.1:1"
	first, second := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{}), startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	build := func(builders ...string) result {
		args := []string{"build", "--progress", "plain", "-f", example(t, "sam/matrix.yaml"), "--repo", b.repo("ci/sam"), "--platform", "linux/amd64", "--push"}
		for _, address := range builders {
			args = append(args, "--builder", address)
		}
		return run(t, b.env, append(args, b.mirrors()...)...)
	}
	for _, order := range [][]string{{dead, first.Addr, second.Addr}, {second.Addr, dead, first.Addr}} {
		r := build(order...)
		if lines := r.ok(t); len(lines) != len(matrixBases) {
			t.Errorf("stdout is %q, want %d lines", lines, len(matrixBases))
		}
		if want := "WARNING: cannot reach the builder " + dead; strings.Count(r.stderr, want) != 1 {
			t.Errorf("stderr does not say %q once:\n%s", want, r.stderr)
		}
	}
	onFirst, onSecond := b.built(first), b.built(second)
	for runtime := range matrixBases {
		if both := []int{onFirst[runtime], onSecond[runtime]}; !slices.Contains(both, 2) || !slices.Contains(both, 0) {
			t.Errorf("%s was built %d times on the two builders, want twice on one of them", runtime, both)
		}
	}

	b.wantFailure(build(dead, "unix:///nonexistent/buildkitd.sock"), "none of the builders can be reached",
		dead+": ", "connection refused", "unix:///nonexistent/buildkitd.sock: ", "no such file")
	if r := build(first.Addr, first.Addr); r.code != 2 || !strings.Contains(r.stderr, first.Addr+" is given twice") {
		t.Errorf("exit code %d for a builder given twice:\n%s", r.code, r.stderr)
	}
}
