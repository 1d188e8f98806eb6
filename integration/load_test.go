package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// manyTargets writes a build file of n targets on one base image.
func manyTargets(t *testing.T, n int) string {
	t.Helper()
	var file strings.Builder
	file.WriteString("kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}\nruntimes:\n")
	for i := range n {
		fmt.Fprintf(&file, "  - {image: '%s-x86_64', name: 'nodejs%d'}\n", testenv.Node22Base, i)
	}
	path := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(path, []byte(file.String()), 0o600))
	return path
}

// All images reach a registry that fails now and then.
func TestRegistryThatFalters(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	var requests, refused atomic.Int64
	b.Registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		n := requests.Add(1)
		switch n % 11 {
		case 3:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 7:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			return false
		}
		refused.Add(1)
		return true
	})
	lines := b.build("-f", manyTargets(t, 20), "--repo", b.repo("ci/faltering"), "--push").ok(t)
	b.Registry.Intercept(nil)
	if len(lines) != 20 {
		t.Errorf("%d images were printed, want 20", len(lines))
	}
	for _, line := range lines {
		tag, digest, _ := strings.Cut(line, "@")
		if got := b.digestOfTag(tag); got != digest {
			t.Errorf("%s is %s in the registry, want %s", tag, got, digest)
		}
	}
	if refused.Load() < 20 {
		t.Errorf("the registry refused %d of %d requests only", refused.Load(), requests.Load())
	}
}

// Two hundred targets are built at once on one buildkitd, whose memory stays small.
func TestManyTargets(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	lines := b.build("-f", manyTargets(t, 200), "--repo", b.repo("ci/many"), "--push").ok(t)
	if len(lines) != 200 {
		t.Errorf("%d images were printed, want 200", len(lines))
	}
	const most = 512 << 20 // an idle one has about 50 MB
	if peak := testenv.MemoryOf(b.Buildkitd.PID, "VmHWM"); peak == 0 || peak > most {
		t.Errorf("buildkitd took %d MB, want at most %d", peak>>20, most>>20)
	}
}
