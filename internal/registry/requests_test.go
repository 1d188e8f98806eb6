package registry

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A member of an index costs two manifests, also if it is asked for by a digest afterwards:
// Docker Hub counts each as a pull.
func TestResolveReadsEachManifestOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	read := map[string]int{}
	ref := serve(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			read[r.URL.Path]++
		}
		return false
	}) + "/library/docker:28-cli"
	amd64 := dockerHub(t, ref)["linux/amd64"]
	clear(read)
	resolver := NewResolver(t.Context(), testClient())
	first, err := resolver.Resolve(ref, mustPlatform(t, "linux/amd64"))
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{ref, ref + "@" + first.Digest, ref + "@" + amd64} {
		image, err := resolver.Resolve(asked, mustPlatform(t, "linux/amd64"))
		if err != nil || image.Manifest != amd64 || (image.Digest == amd64) != strings.HasSuffix(asked, amd64) {
			t.Errorf("%s is %+v, %v", asked, image, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(read) != 2 {
		t.Errorf("read were %v, want the index and a member", read)
	}
	for path, times := range read {
		if times != 1 {
			t.Errorf("%s was read %d times", path, times)
		}
	}
}
