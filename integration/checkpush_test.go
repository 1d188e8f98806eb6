package integration

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Who may not push learns it before anything is built: no builder is asked for an image.
func TestCheckPush(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]testenv.RegistryOptions{
		"401 with a token server": {TokenAuth: true},
		"403 as at Amazon ECR":    {BasicAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options.Users = map[string]testenv.Account{"reader": {Password: "canary-of-the-reader"}}
			b := newBed(t, testenv.Options{Registry: options})
			dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
			settings := []string{"PLUGIN_REGISTRY=" + b.Registry.Addr, "PLUGIN_REPO=team/app", "PLUGIN_TAGS=1,2", "PLUGIN_USERNAME=reader", "PLUGIN_PASSWORD=canary-of-the-reader"}
			r := b.step(dir, settings...)
			if r.code != 1 || !strings.Contains(r.stderr, "nothing was built, because the push would fail: ") || strings.Contains(r.stderr, "load build definition") {
				t.Errorf("the step ends with %d and says\n%s", r.code, r.stderr)
			}
		})
	}
}

// The check costs each repository one upload that is begun and cancelled, however many images and tags
// go there; none where nothing is pushed, or where it is turned off.
func TestCheckPushAsksEachRepositoryOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	matrix := append([]string{"-f", example(t, "sam/matrix.yaml")}, b.mirrors()...)
	repo := []string{"--repo", b.repo("ci/asked"), "--push"}
	for _, c := range []struct {
		name string
		args []string
		want int
	}{
		{"four images", slices.Concat(matrix, repo), 1},
		{"two repositories", slices.Concat(matrix, repo, []string{"--target", "java21", "--tag", b.repo("ci/one:1"), "--tag", b.repo("ci/one:2"), "--tag", b.repo("ci/two:1")}), 2},
		{"nothing is pushed", matrix, 0},
		{"turned off", slices.Concat(matrix, repo, []string{"--check-push=false"}), 0},
		{"everything is there", slices.Concat(matrix, repo, []string{"--skip-existing"}), 0},
	} {
		var mu sync.Mutex
		begun, cancelled := map[string]bool{}, map[string]int{}
		b.Registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			repository, _, uploads := strings.Cut(r.URL.Path, "/blobs/uploads/")
			switch {
			case uploads && r.Method == http.MethodPost:
				begun[repository] = true
			case uploads && r.Method == http.MethodDelete: // BuildKit cancels none
				cancelled[repository]++
			}
			return false
		})
		r := b.build(c.args...)
		r.ok(t)
		b.Registry.Intercept(nil)
		mu.Lock()
		if len(cancelled) != c.want {
			t.Errorf("%s: cancelled were %v, want one in each of %d repositories", c.name, cancelled, c.want)
		}
		for repository, times := range cancelled {
			if times != 1 || !begun[repository] {
				t.Errorf("%s: %d uploads to %s were cancelled", c.name, times, repository)
			}
		}
		mu.Unlock()
	}
}
