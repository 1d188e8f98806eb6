package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Forty steps at once share a builder and a registry that answers a tenth of all requests with 429,
// with 503 or not at all. All images are pushed, and nothing of one is pushed twice.
func TestParallelSteps(t *testing.T) {
	t.Parallel()
	const steps = 40
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{NoBuildkitd: true, Registry: testenv.RegistryOptions{
		TokenAuth: true, AnonymousPull: true, Users: map[string]testenv.Account{"ci": {Password: ciPassword, Push: true}},
	}})}
	front, err := b.Registry.Front(testenv.FrontOptions{Overload: "one"})
	must(t, err)
	t.Cleanup(func() { front.Close() })
	b.Buildkitd, err = testenv.StartBuildkitd(t.Context(), testenv.BuildkitdOptions{Rootless: true, PlainHTTP: []string{front.Addr}})
	must(t, err)
	t.Cleanup(func() { must(t, b.Buildkitd.Close()) })
	program, err := testenv.Executable(t.Context(), "go-template", "amd64", "v1")
	must(t, err)
	base, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{{Files: []testenv.File{{Path: "program", Mode: 0o755, Data: program}}}}})
	must(t, err)
	b.push(b.Registry.Addr+"/base/program:1", base)
	b.Registry.Reset()

	results := make([]result, steps)
	var g sync.WaitGroup
	for n := range steps {
		dir := checkout(t, map[string]string{
			"Dockerfile": fmt.Sprintf("FROM %s/base/program:1\nCOPY common /common\nRUN [\"/program\", \"--version\"]\nCOPY app /app\n", front.Addr),
			"common":     "common\n",
			"app":        fmt.Sprintf("app %d\n", n),
		})
		repo := "team/shared" // of half of them
		if n%2 == 1 {
			repo = fmt.Sprintf("team/app-%d", n)
		}
		g.Go(func() {
			results[n] = b.step(dir, "PLUGIN_REPO="+front.Addr+"/"+repo, fmt.Sprintf("PLUGIN_TAGS=%d", n), "PLUGIN_USERNAME=ci", "PLUGIN_PASSWORD="+ciPassword)
		})
	}
	g.Wait()
	owners := map[string]int{} // of each layer in a repository
	for n, r := range results {
		if r.code != 0 {
			t.Errorf("step %d ended with %d:\n%s", n, r.code, r.stderr)
			continue
		}
		tag, digest, _ := strings.Cut(strings.TrimSpace(r.stdout), "@")
		tag = strings.Replace(tag, front.Addr, b.Registry.Addr, 1)
		image, err := b.Registry.ReadImage(t.Context(), tag, "linux/amd64")
		must(t, err)
		layers, err := b.Registry.ImageLayers(t.Context(), tag)
		must(t, err)
		for layer := range layers {
			repository, _, _ := strings.Cut(strings.TrimPrefix(tag, b.Registry.Addr+"/"), ":")
			owners[repository+"@"+layer]++
		}
		app, err := image.ReadFile("/app")
		if image.Digest != digest || err != nil || string(app) != fmt.Sprintf("app %d\n", n) {
			t.Errorf("step %d printed %s, and in the registry is %s with %q, %v", n, r.stdout, image.Digest, app, err)
		}
	}
	lost, again := front.Lost(), 0
	for what, times := range b.Registry.Accepted() {
		most := 1
		if owners[what] > 1 {
			// BuildKit asks whether the registry has a layer, and sends it if not: of several steps
			// that push the same one to the same repository at once, several send it. It sends four
			// at a time.
			most = 4
			again += times - 1
		}
		if times > most+lost[what] { // what was accepted without an answer is sent again
			t.Errorf("%s was pushed %d times, and %d answers were lost", what, times, lost[what])
		}
	}
	t.Logf("%d requests failed, %d answers were lost, layers that steps share were sent again %d times: %+v", front.Broken(), len(lost), again, b.Registry.Stats())
	if front.Broken() < steps {
		t.Errorf("only %d requests failed", front.Broken())
	}
}

// A registry that takes no uploads for a while is asked again when it says so, as often as
// PLUGIN_PUSH_RETRY allows. One that refuses is not.
func TestPushIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	file := filepath.Join(t.TempDir(), "image.tar")
	const again = "the image is built again (try 2 of "
	for name, c := range map[string]struct {
		status   int
		settings []string
		code     int
		tried    int // how often the builder pushed
	}{
		"without a setting":   {http.StatusTooManyRequests, nil, 0, 2},
		"once, with a file":   {http.StatusTooManyRequests, []string{"PLUGIN_PUSH_RETRY=1", "PLUGIN_TAR_PATH=" + file}, 0, 2},
		"never":               {http.StatusTooManyRequests, []string{"PLUGIN_PUSH_RETRY=0"}, 1, 1},
		"as with pulls":       {http.StatusServiceUnavailable, []string{"PLUGIN_IMAGE_DOWNLOAD_RETRY=1", "PLUGIN_PUSH_RETRY=0"}, 0, 2},
		"no, if it is denied": {http.StatusForbidden, []string{"PLUGIN_PUSH_RETRY=5"}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked, open atomic.Bool // whether samforge itself asked, and was let in
			b.Registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				uploads := strings.Contains(r.URL.Path, "/blobs/uploads/")
				ofSamforge := strings.HasPrefix(r.UserAgent(), "samforge")
				switch {
				case open.Load():
					return false
				case ofSamforge && asked.Swap(true) && c.status != http.StatusForbidden:
					open.Store(true)
					return false
				case ofSamforge || uploads:
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(c.status)
					return true
				}
				return false
			})
			r := b.step(dir, append(c.settings, "PLUGIN_REPO="+b.repo(strings.NewReplacer(" ", "-", ",", "").Replace(name)))...)
			if tried := 1 + strings.Count(r.stderr, again); r.code != c.code || tried != c.tried {
				t.Errorf("exit code %d after %d tries, want %d after %d:\n%s", r.code, tried, c.code, c.tried, r.stderr)
			}
			if _, err := os.Stat(file); err != nil && slices.Contains(c.settings, "PLUGIN_TAR_PATH="+file) {
				t.Error(err)
			}
			if lines := strings.Fields(r.stdout); (len(lines) == 1) != (c.code == 0) {
				t.Errorf("stdout is %q", lines)
			}
		})
	}
}
