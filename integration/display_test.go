package integration

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/integration/testenv"
)

// The progress of several targets shows the end of every step, and each target's export separately.
func TestProgressOfSeveralTargets(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	r := run(t, b.env, append([]string{"build", "--progress", "rawjson", "--builder", b.Buildkitd.Addr, "-f", example(t, "sam/matrix.yaml"),
		"--repo", b.repo("ci/progress"), "--push", "--cache-to", "type=registry,ref=" + b.repo("ci/cache") + ":{{.Target}}"}, b.mirrors()...)...)
	lines := r.ok(t)
	type step struct {
		name           string
		started, ended *time.Time
	}
	steps := map[digest.Digest]*step{}
	decoder := json.NewDecoder(strings.NewReader(r.stderr[strings.Index(r.stderr, "{"):]))
	for decoder.More() {
		var status client.SolveStatus
		must(t, decoder.Decode(&status))
		for _, v := range status.Vertexes {
			steps[v.Digest] = &step{v.Name, v.Started, v.Completed}
		}
	}
	exports := map[string]bool{}
	for _, s := range steps {
		if s.started != nil && s.ended == nil {
			t.Errorf("the step %q never ends", s.name)
		}
		if strings.Contains(s.name, "exporting to image") {
			exports[s.name] = true
		}
	}
	if len(exports) != len(lines) {
		t.Errorf("%d images have the exports %v", len(lines), exports)
	}
}
