package builder

import (
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/printer"
)

// output is one of the streams that a step prints to: 1 is standard output, 2 standard error, 0
// neither.
type output struct {
	vertex digest.Digest
	stream int
}

// clean masks the secrets in st, because others wrote its text: steps, registries, the authors of
// files. For people it escapes the text too; progressui's terminal mode adds its own control
// sequences.
func (d *Display) clean(st *client.SolveStatus) {
	line, text := d.secrets.Line, d.secrets.Text
	if d.mode == progressui.RawJSONMode {
		line, text = d.secrets.Mask, d.secrets.Mask
	}
	for _, v := range st.Vertexes {
		v.Name, v.Error = line(v.Name), text(v.Error)
		if v.ProgressGroup != nil {
			v.ProgressGroup.Name = line(v.ProgressGroup.Name)
		}
	}
	for _, vs := range st.Statuses {
		vs.ID, vs.Name = line(vs.ID), line(vs.Name)
	}
	for _, w := range st.Warnings {
		w.Short = []byte(line(string(w.Short)))
		w.URL = line(w.URL)
		for i, detail := range w.Detail {
			w.Detail[i] = []byte(line(string(detail)))
		}
	}
	d.cleanLogs(st)
}

// sayNewCaches shows one plain line when a cache to import does not exist yet. BuildKit shows an
// error for it, though the build goes well.
func (w *jobWriter) sayNewCaches(st *client.SolveStatus) {
	for _, v := range st.Vertexes {
		if v.Completed != nil && strings.Contains(v.Name, "importing cache manifest from") && strings.HasSuffix(v.Error, ": not found") {
			v.Error = ""
			if s := w.d.vertices[v.Digest]; s != nil && s.completed != nil {
				continue // said before
			}
			st.Logs = append(st.Logs, &client.VertexLog{Vertex: v.Digest, Stream: 2, Data: []byte("the cache does not exist yet\n"), Timestamp: *v.Completed})
		}
	}
}

// cleanLogs cleans the output of steps, which arrives in pieces. It shows what is left of a step's
// output when the step ends.
func (d *Display) cleanLogs(st *client.SolveStatus) {
	for _, l := range st.Logs {
		key := output{l.Vertex, l.Stream}
		if d.outputs[key] == nil {
			d.outputs[key] = printer.NewStream(d.secrets)
			if d.mode == progressui.RawJSONMode {
				d.outputs[key] = printer.NewRawStream(d.secrets)
			}
		}
		l.Data = []byte(d.outputs[key].Next(string(l.Data)))
	}
	for _, v := range st.Vertexes {
		if v.Completed == nil {
			continue
		}
		for _, stream := range []int{0, 1, 2} {
			key := output{v.Digest, stream}
			if d.outputs[key] == nil {
				continue
			}
			if rest := d.outputs[key].Rest(); rest != "" {
				st.Logs = append(st.Logs, &client.VertexLog{Vertex: v.Digest, Stream: stream, Data: []byte(rest), Timestamp: *v.Completed})
			}
		}
	}
}
