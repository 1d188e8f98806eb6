package builder

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// A solve that reports nothing is reported again and again. It ends if the builder does not answer,
// if a registry that it waits for does not answer either, or if no byte of an image comes; never
// while bytes move, or may move.
func TestSilence(t *testing.T) {
	t.Parallel()
	const image = "docker.io/library/docker:28-cli"
	exporting := begun("exporting to image")
	pushing := begun("exporting to image", &client.VertexStatus{ID: "pushing layers"})
	other := begun("[sam] base", &client.VertexStatus{ID: "resolve alive.example.com/a:1", Completed: new(time.Time)})
	pulling := begun("[sam] docker CLI", &client.VertexStatus{ID: "resolve " + image, Completed: new(time.Time)})
	resolved := vertexes(&client.Vertex{Digest: pulling.Vertexes[0].Digest, Name: "[sam] docker CLI", Started: new(time.Time), Completed: new(time.Time)})
	pulled := func(bytes int64) *client.SolveStatus {
		layer := &client.VertexStatus{ID: "sha256:ab", Vertex: pulling.Vertexes[0].Digest, Current: bytes, Total: 10}
		return &client.SolveStatus{Statuses: []*client.VertexStatus{layer}}
	}
	for name, c := range map[string]struct {
		reports   []*client.SolveStatus // one every 50 seconds
		gone      bool                  // the builder does not answer
		hangs     bool                  // nor do registries
		pushLimit time.Duration
		took      time.Duration
		told      int
		want      string // the error; empty: still running after ten and a half minutes
	}{
		"a builder that does not answer": {reports: []*client.SolveStatus{exporting}, gone: true, took: 2 * time.Minute,
			want: "it has reported nothing for 2m0s and does not answer"},
		"a step that prints nothing":        {reports: []*client.SolveStatus{begun("npm ci")}, hangs: true, told: 10},
		"a push whose registry answers":     {reports: []*client.SolveStatus{pushing}, told: 10},
		"a push that has reached its limit": {reports: []*client.SolveStatus{pushing}, pushLimit: 5 * time.Minute, took: 5 * time.Minute, told: 4, want: "r.example.com has not accepted everything in 5m0s, and SAMFORGE_PUSH_LIMIT allows 5m0s"},
		"a push whose registry does not answer": {reports: []*client.SolveStatus{pushing}, hangs: true, took: 4 * time.Minute, told: 1,
			want: "r.example.com has sent nothing for 4m0s, for this build or when the builder asked (exporting to image, pushing layers to r.example.com)"},
		"a push whose other registry answers": {reports: []*client.SolveStatus{pushing, other}, hangs: true, told: 4},
		"an image that does not resolve": {reports: []*client.SolveStatus{begun("[internal] load metadata for " + image)}, took: 2 * time.Minute, told: 1,
			want: "docker.io has sent nothing for 2m0s of " + image},
		"a layer that stops": {reports: []*client.SolveStatus{pulling, resolved, begun("[sam] docker CLI"), pulled(5), pulled(5), pulled(5)}, took: 270 * time.Second, told: 1,
			want: "docker.io has sent nothing for 2m0s of " + image},
		"a layer that trickles, and stops": {reports: []*client.SolveStatus{pulling, pulled(1), pulled(2), pulled(3)}, took: 150*time.Second + 2*time.Minute, told: 1,
			want: "docker.io has sent nothing for 2m0s of " + image},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 630*time.Second)
				defer cancel()
				never := func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}
				told := 0
				s := &silence{
					SilenceOptions: SilenceOptions{Limit: time.Minute, PushLimit: c.pushLimit},
					ping: func(ctx context.Context) error {
						if c.gone {
							return never(ctx)
						}
						return nil
					},
					ask: func(ctx context.Context, image string) error {
						if c.hangs && !strings.HasPrefix(image, "alive") {
							return never(ctx)
						}
						return nil
					},
					lost:  func(err error) error { return err },
					tell:  func(string) { told++ },
					to:    destinations{images: []string{"r.example.com/ci/sam:1", "r.example.com/ci/sam:latest"}},
					steps: running{},
					heard: make(chan struct{}, 1),
				}
				start := time.Now()
				var reporting sync.WaitGroup
				defer reporting.Wait()
				reporting.Go(func() {
					for _, report := range c.reports {
						s.hear(report)
						time.Sleep(50 * time.Second)
					}
				})
				err := s.watch(ctx)
				if took := time.Since(start); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || took != c.took) || told != c.told {
					t.Errorf("%v after %s, %d messages; want %q after %s, and %d", err, took, told, c.want, c.took, c.told)
				}
			})
		})
	}
}

// begun is a report of a step that has begun.
func begun(name string, parts ...*client.VertexStatus) *client.SolveStatus {
	now, vertex := time.Now(), digest.FromString(name)
	st := vertexes(&client.Vertex{Digest: vertex, Name: name, Started: &now})
	for _, part := range parts {
		part.Vertex = vertex
		st.Statuses = append(st.Statuses, part)
	}
	return st
}

// Without a limit nothing is checked.
func TestSilenceWithoutALimit(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the solve has ended"))
	if err := (&silence{}).watch(ctx); err != nil {
		t.Error(err)
	}
}
