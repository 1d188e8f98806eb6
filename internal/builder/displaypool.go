package builder

import (
	"context"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// ofBuilder gives what st tells the names of w's builder. The same step has the same digest on every builder, and the
// display would take two runs of it, at different times, for one.
func (w *jobWriter) ofBuilder(st *client.SolveStatus) {
	if w.builder == "" {
		return
	}
	for _, v := range st.Vertexes {
		v.Digest = w.own(v.Digest)
		for i, input := range v.Inputs {
			v.Inputs[i] = w.own(input)
		}
		if v.ProgressGroup != nil {
			v.ProgressGroup.Id = string(w.own(digest.Digest(v.ProgressGroup.Id)))
		}
	}
	for _, vs := range st.Statuses {
		vs.Vertex = w.own(vs.Vertex)
	}
	for _, l := range st.Logs {
		l.Vertex = w.own(l.Vertex)
	}
	for _, warning := range st.Warnings {
		warning.Vertex = w.own(warning.Vertex)
	}
}

// own returns what a vertex of w's builder is called in the display.
func (w *jobWriter) own(vertex digest.Digest) digest.Digest {
	return digest.FromString(w.builder + "\n" + string(vertex))
}

// abandon shows as cancelled what w's job was doing when one of several builders was lost, as nobody else tells its end.
func (w *jobWriter) abandon() {
	if w.builder == "" {
		return
	}
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	now := time.Now()
	for _, s := range w.d.vertices {
		if s.owner == w && s.last.Started != nil && s.last.Completed == nil {
			v := *s.last
			v.Completed, v.Error = &now, context.Canceled.Error()
			s.last, s.completed = &v, &now
			w.d.sendLocked(vertexes(&v))
		}
	}
}
