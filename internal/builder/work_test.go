package builder

import (
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

func TestWork(t *testing.T) {
	t.Parallel()
	now := time.Now()
	source, first, second, layer := digest.FromString("FROM"), digest.FromString("COPY"), digest.FromString("RUN"), digest.FromString("layer")
	on := &Builder{}
	var one, two Work
	one.add(on, &client.SolveStatus{
		Vertexes: []*client.Vertex{
			{Digest: source, Completed: &now},
			{Digest: first, Inputs: []digest.Digest{source}, Completed: &now, Cached: true},
			{Digest: second, Inputs: []digest.Digest{first}, Started: &now},
		},
		Statuses: []*client.VertexStatus{{Vertex: source, ID: layer.String(), Current: 10, Total: 30}, {Vertex: source, ID: "resolve", Current: 7}},
	})
	one.add(on, &client.SolveStatus{
		Vertexes: []*client.Vertex{
			{Digest: second, Inputs: []digest.Digest{first}, Completed: &now},
			{Digest: digest.FromString("failed"), Inputs: []digest.Digest{first}, Completed: &now, Error: "exit code 1"},
		},
		Statuses: []*client.VertexStatus{{Vertex: source, ID: layer.String(), Current: 30, Total: 30}, {Vertex: first, ID: "transferring context:", Current: 5}},
	})
	if all, cached := one.Steps(); all != 2 || cached != 1 {
		t.Errorf("%d steps, of which %d were cached", all, cached)
	}
	two.add(on, &client.SolveStatus{Statuses: []*client.VertexStatus{{Vertex: source, ID: layer.String(), Current: 30}}})
	two.add(&Builder{}, &client.SolveStatus{Statuses: []*client.VertexStatus{{Vertex: source, ID: layer.String(), Current: 1}}})
	if sent, pulled := Transferred(one, two); sent != 5 || pulled != 31 {
		t.Errorf("%d bytes were sent and %d pulled", sent, pulled)
	}
}
