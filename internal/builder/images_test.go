package builder

import (
	"errors"
	"slices"
	"testing"

	"github.com/moby/buildkit/client"
)

// A reference counts as pushed when its push has begun, unless the registry refused it.
func TestPushed(t *testing.T) {
	t.Parallel()
	var r Result
	for _, id := range []string{"exporting manifest sha256:ab", "pushing layers", "pushing manifest for example.com/app:1@sha256:ab", "pushing manifest for example.com/app:1@sha256:ab", "pushing manifest for example.com/app:2@sha256:ab"} {
		r.pushing = append(r.pushing, pushing(&client.SolveStatus{Statuses: []*client.VertexStatus{{ID: id}}})...)
	}
	const one, two = "example.com/app:1@sha256:ab", "example.com/app:2@sha256:ab"
	for text, want := range map[string][]string{
		"lost the connection": {one, two},
		"failed to solve: failed to push example.com/app:2: the tag is immutable: 400 Bad Request": {one},
		"failed to solve: failed to push example.com/app:2: failed to do request: EOF":             {one, two},
	} {
		r.Err = errors.New(text)
		if got := r.Pushed(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
