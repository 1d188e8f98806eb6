package builder

import (
	"context"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// ownNames renames the vertices of st that are not the same for every job. A step has the same
// digest on every builder, so the display would take two runs of it, at different times, for one.
// An export has the same digest for every job of a session, though each job exports its own image.
func (w *jobWriter) ownNames(st *client.SolveStatus) {
	for _, v := range st.Vertexes {
		if isExport(v.Name) {
			w.exports[v.Digest] = true
		}
	}
	for _, v := range st.Vertexes {
		v.Digest = w.own(v.Digest)
		for i, input := range v.Inputs {
			v.Inputs[i] = w.own(input)
		}
		if v.ProgressGroup != nil && w.builder != "" {
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

// isExport reports whether a vertex with that name exports the result of one job.
func isExport(name string) bool {
	return strings.HasPrefix(name, "exporting ") || strings.HasPrefix(name, "preparing ") || strings.HasPrefix(name, "pushing ")
}

// own returns the display's name for a vertex of w's job.
func (w *jobWriter) own(vertex digest.Digest) digest.Digest {
	name := string(vertex)
	if w.exports[vertex] {
		name = w.prefix + "\n" + name
	}
	if w.builder != "" {
		name = w.builder + "\n" + name
	}
	if name == string(vertex) {
		return vertex
	}
	return digest.FromString(name)
}

// abandon shows the running vertices of w's job as cancelled after its builder was lost, because
// nothing else reports their end.
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
