package builder

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
)

func TestTheLogOfTheFailedStepIsKept(t *testing.T) {
	t.Parallel()
	logs := stepLogs{}
	logs.add(&client.SolveStatus{Logs: []*client.VertexLog{
		{Vertex: "sha256:good", Data: []byte("all is well\n")},
		{Vertex: "sha256:bad", Data: []byte(strings.Repeat("x", logLimit))},
	}})
	logs.add(&client.SolveStatus{
		Vertexes: []*client.Vertex{{Digest: "sha256:good"}, {Digest: "sha256:bad", Error: "exit code 1"}, {Digest: "sha256:silent", Error: "cancelled"}},
		Logs:     []*client.VertexLog{{Vertex: "sha256:bad", Data: []byte("the last line\n")}},
	})
	got := logs.ofFailed()
	if !strings.HasSuffix(got, "the last line\n") || len(got) != logLimit {
		t.Errorf("the log has %d bytes and ends with %q", len(got), got[max(len(got)-20, 0):])
	}
	if got := (stepLogs{}).ofFailed(); got != "" {
		t.Errorf("no step failed, and the log is %q", got)
	}
}
