package builder

import (
	"maps"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
)

// Work is what a builder reported to have done for a job. The zero value is no work.
type Work struct {
	// Took is the time from the start of the solve to its end, with all tries.
	Took time.Duration

	ended     map[digest.Digest]bool // the steps that ended; true for those from the cache
	transfers map[transfer]int64     // in bytes
	solves    []solved
}

// transfer is what one vertex of a builder transfers: a layer that is pulled, or a local source that is
// sent.
type transfer struct {
	builder *Builder
	vertex  digest.Digest
	id      string
}

// Steps returns how many steps ended, and how many of these came from the cache. What only gets a
// source, lays layers over one another, or exports, is no step.
func (w Work) Steps() (all, cached int) {
	for _, fromCache := range w.ended {
		if fromCache {
			cached++
		}
	}
	return len(w.ended), cached
}

// Transferred returns how many bytes of local sources the builders got from this machine, and how many
// bytes of layers they pulled. What several jobs share counts once.
func Transferred(work ...Work) (sent, pulled int64) {
	all := map[transfer]int64{}
	for _, w := range work {
		for t, bytes := range w.transfers {
			all[t] = max(all[t], bytes)
		}
	}
	for t, bytes := range all {
		if strings.HasPrefix(t.id, sending) {
			sent += bytes
		} else {
			pulled += bytes
		}
	}
	return sent, pulled
}

// sending is how BuildKit's statuses of local sources begin.
const sending = "transferring "

// add takes over what a status of b says.
func (w *Work) add(b *Builder, st *client.SolveStatus) {
	if w.ended == nil {
		w.ended, w.transfers = map[digest.Digest]bool{}, map[transfer]int64{}
	}
	for _, v := range st.Vertexes {
		if v.Completed != nil && v.Error == "" && len(v.Inputs) > 0 && !helps(v.Name) {
			fromCache, before := w.ended[v.Digest]
			w.ended[v.Digest] = v.Cached && (fromCache || !before)
		}
	}
	for _, s := range st.Statuses {
		if strings.HasPrefix(s.ID, sending) || digest.Digest(s.ID).Validate() == nil {
			t := transfer{b, s.Vertex, s.ID}
			w.transfers[t] = max(w.transfers[t], s.Current)
		}
	}
}

// helps reports whether a step of this name only helps the others: nobody wants to read of it.
func helps(name string) bool {
	return strings.HasPrefix(name, "[internal] ") || strings.HasSuffix(name, llbgen.AssembleStep)
}

// join adds the work of a further try, or of a job that came after.
func (w *Work) join(other Work) {
	w.Took += other.Took
	w.solves = append(w.solves, other.solves...)
	if w.ended == nil {
		w.ended, w.transfers = other.ended, other.transfers
		return
	}
	for step, fromCache := range other.ended {
		if cached, before := w.ended[step]; !before || cached {
			w.ended[step] = fromCache
		}
	}
	maps.Copy(w.transfers, other.transfers)
}
