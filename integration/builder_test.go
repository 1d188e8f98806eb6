package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// hold stops every download of a layer until the test ends. It returns a channel that is closed at
// the first request for a layer.
func (b *bed) hold() <-chan struct{} {
	asked, release := make(chan struct{}, 100), make(chan struct{})
	b.t.Cleanup(func() { close(release) })
	b.Registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/hub/library/docker/blobs/") {
			return false
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	return asked
}

func waitFor(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not happen within a minute", what)
	}
}

// seedPush are the arguments that build and push the seed's image.
func (b *bed) seedPush(flags ...string) []string {
	args := append([]string{"build", "--progress", "plain", "-f", example(b.t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push"}, flags...)
	return append(args, b.mirrors()...)
}

func TestBuildkitdGoneMidBuild(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	pulling := b.hold()
	p := start(t, b.env, b.seedPush("--builder", b.Buildkitd.Addr)...)
	waitFor(t, "a pull", pulling)
	b.Buildkitd.Kill()
	b.wantFailure(p.wait(t), "lost the connection", b.Buildkitd.Addr, "nothing is known to have been pushed")
}

// samforge reports a builder's silence while it answers, and gives it up as lost when it does not.
func TestBuilderThatFallsSilent(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	pulling := b.hold()
	p := start(t, append(b.env, "SAMFORGE_SILENCE=1s"), b.seedPush("--builder", b.Buildkitd.Addr)...)
	waitFor(t, "a pull", pulling)
	for !strings.Contains(p.stderr.String(), "has reported nothing for 1s; it is working on: ") {
		if t.Context().Err() != nil {
			t.Fatalf("a silent builder is not reported:\n%s", p.stderr.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	must(t, syscall.Kill(b.Buildkitd.PID, syscall.SIGSTOP))
	defer func() { must(t, syscall.Kill(b.Buildkitd.PID, syscall.SIGCONT)) }()
	b.wantFailure(p.wait(t), "lost the connection", b.Buildkitd.Addr, "and does not answer", "nothing is known to have been pushed")
}

// A push to a registry that hangs for good ends: if the registry does not answer the builder
// either, or at the user's limit. A pull that stalls ends too.
func TestRegistryThatFallsSilent(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	uploads := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/uploads/") }
	layers := func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/hub/library/docker/blobs/") && !strings.Contains(r.Header.Get("Accept"), "config")
	}
	for _, c := range []struct {
		name  string
		stops func(*http.Request) bool // the first request without an answer
		all   bool                     // later requests get no answer either
		limit string                   // for a silent push
		want  string
	}{
		{"in a layer", layers, false, "0", " of 127.0.0.1:"}, // only the first, because later ones find the layer in the cache
		{"for good, at a push", uploads, true, "0", " has sent nothing for "},
		{"for one push", uploads, false, "3s", "SAMFORGE_PUSH_LIMIT allows 3s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stopped atomic.Bool
			b.Registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if c.stops(r) {
					stopped.Store(true)
				} else if !c.all || !stopped.Load() {
					return false
				}
				if r.Method == http.MethodGet {
					w.(http.Flusher).Flush() // the headers
				}
				<-r.Context().Done()
				return true
			})
			env := append(b.env, "SAMFORGE_SILENCE=1s", "SAMFORGE_PUSH_LIMIT="+c.limit)
			b.wantFailure(run(t, env, b.seedPush("--builder", b.Buildkitd.Addr, "--no-cache")...), b.Registry.Addr, c.want, "nothing was pushed")
		})
	}
}

// Ctrl-C ends the build, says so, and leaves no buildkitd behind.
func TestInterruptStopsThePrivateBuildkitd(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	pulling := b.hold()
	env, cache := b.privateEnv()
	p := start(t, env, b.seedPush()...)
	waitFor(t, "a pull", pulling)
	must(t, p.cmd.Process.Signal(syscall.SIGINT))
	b.wantFailure(p.wait(t), "cancelled", "nothing was pushed")
	wantNoProcess(t, cache)
}

// Without any builder samforge starts its own buildkitd, keeps its cache for the next time, and
// stops it.
func TestPrivateBuildkitd(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	env, cache := b.privateEnv()
	first := run(t, env, b.seedPush()...).ok(t)
	wantNoProcess(t, cache)
	b.Registry.Reset()
	second := run(t, env, b.seedPush()...).ok(t)
	wantNoProcess(t, cache)
	if digestOf(first[0]) != digestOf(second[0]) {
		t.Errorf("the second build gave %s, the first %s", second[0], first[0])
	}
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" {
			t.Errorf("the second build pulled %s of %s", p.Digest, p.Repository)
		}
	}
}

// privateEnv returns an environment in which only a private builder can be found, and the folder of
// that builder's state.
func (b *bed) privateEnv() (env []string, cache string) {
	b.t.Helper()
	cache = b.t.TempDir()
	buildkitd, err := testenv.Tool("buildkitd")
	must(b.t, err)
	return append(b.env,
		"BUILDKIT_HOST=",
		"DOCKER_HOST=unix://"+filepath.Join(cache, "no-docker.sock"),
		"XDG_RUNTIME_DIR="+cache,
		"XDG_CACHE_HOME="+cache,
		"PATH="+filepath.Dir(buildkitd)+":/usr/bin:/bin:/usr/sbin:/sbin",
	), cache
}

// wantNoProcess fails the test if a process has text in its command line.
func wantNoProcess(t *testing.T, text string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), text) {
			t.Errorf("a process is left: %s", strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
}

func TestNoBuilder(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	env, cache := b.privateEnv()
	r := run(t, append(env, "PATH="+cache), b.seedPush()...)
	b.wantFailure(r, "no-docker.sock", "buildkitd", "PATH", "--builder")
}

func TestBuilderThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{NoBuildkitd: true})
	r := run(t, b.env, b.seedPush("--builder", "unix:///nonexistent/buildkitd.sock")...)
	b.wantFailure(r, "unix:///nonexistent/buildkitd.sock")
	for _, nonsense := range [][]string{{"--builder", "nope"}, {"--builder", "tcp://a:1", "--builder", ""}} {
		if r := run(t, b.env, b.seedPush(nonsense...)...); r.code != 2 || !strings.Contains(r.stderr, "is not the address of a builder") {
			t.Errorf("exit code %d for %q:\n%s", r.code, nonsense, r.stderr)
		}
	}
	if r := run(t, append(b.env, "BUILDKIT_HOST=nope"), b.seedPush()...); r.code != 2 || !strings.Contains(r.stderr, `"nope" is not the address of a builder`) {
		t.Errorf("exit code %d for BUILDKIT_HOST=nope:\n%s", r.code, r.stderr)
	}
}

// --load without an engine fails with a sentence about the engine before anything is built.
func TestLoadWithoutAnEngine(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	env := append(b.env, "DOCKER_HOST=unix:///nonexistent/docker.sock")
	args := append([]string{"build", "--progress", "plain", "-f", example(t, "sam/samforge.yaml"), "--load", "--builder", b.Buildkitd.Addr}, b.mirrors()...)
	r := run(t, env, args...)
	if r.code != 1 || r.stdout != "" {
		t.Errorf("exit code %d, stdout %q", r.code, r.stdout)
	}
	for _, want := range []string{"--load gives the images to a Docker engine, and the docker command reaches none", "unix:///nonexistent/docker.sock", "--output type=docker,dest=image.tar"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr does not say %q:\n%s", want, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "broken pipe") || len(b.Registry.Pulls()) != 0 {
		t.Errorf("it was built anyway:\n%s", r.stderr)
	}
}

// A full disk is reported as such, and the build works when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{RootSize: 12 << 20}})
	r := run(t, b.env, b.seedPush("--builder", b.Buildkitd.Addr)...)
	b.wantFailure(r, "disk is full", "no space left on device")
	roomy := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	run(t, b.env, b.seedPush("--builder", roomy.Addr)...).ok(t)
}

// Images that are already in the registry are reported and not built.
func TestSkipExisting(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	first := run(t, b.env, b.seedPush("--builder", b.Buildkitd.Addr)...).ok(t)
	b.Registry.Reset()
	second := run(t, b.env, b.seedPush("--builder", b.Buildkitd.Addr, "--skip-existing")...).ok(t)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("stdout is %q, want %q", second, first)
	}
	if s := b.Registry.Stats(); s.ManifestPuts != 0 || s.Uploads != 0 {
		t.Errorf("it pushed %+v", s)
	}
}

// A builder on TCP requires the client's certificate.
func TestBuilderWithTLS(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{TLS: true}})
	run(t, b.env, b.seedPush("--builder", b.Buildkitd.TCPAddr, "--tlsdir", b.Buildkitd.TLSDir)...).ok(t)
	b.wantFailure(run(t, b.env, b.seedPush("--builder", b.Buildkitd.TCPAddr)...), b.Buildkitd.TCPAddr)
	b.wantFailure(run(t, b.env, b.seedPush("--builder", b.Buildkitd.TCPAddr, "--tlscacert", b.Buildkitd.TLSDir+"/ca.pem")...), b.Buildkitd.TCPAddr)
}
