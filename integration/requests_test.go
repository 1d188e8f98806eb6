package integration

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// plan reads no manifest twice: Docker Hub counts each read as a pull.
func TestPlanReadsEachManifestOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	var mu sync.Mutex
	read := map[string]int{}
	b.Registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			read[r.URL.Path]++
		}
		return false
	})
	run(t, b.env, append([]string{"plan", "-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/planned")}, b.mirrors()...)...).ok(t)
	mu.Lock()
	defer mu.Unlock()
	if len(read) == 0 {
		t.Error("no manifest was read")
	}
	of := map[string]int{}
	for path, times := range read {
		repository, _, _ := strings.Cut(path, "/manifests/")
		if of[repository] += times; times != 1 || of[repository] > 2 {
			t.Errorf("%s was read %d times, and %d manifests of its repository", path, times, of[repository])
		}
	}
}
