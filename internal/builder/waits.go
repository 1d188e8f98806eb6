package builder

import (
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
)

// running are the steps of a solve that have begun, by their vertices.
type running map[digest.Digest]*openStep

type openStep struct {
	name  string                          // "" when it is over; a pull begins again after its image is resolved
	image string                          // the image that it pulls or resolves
	parts map[string]*client.VertexStatus // the parts that have not ended, by name
}

// resolves begins the name of a step that only resolves an image, in our graphs and in those of
// Dockerfiles.
const resolves = "load metadata for "

// BuildKit's names for the parts of a step that wait for a registry: source/containerimage/pull.go,
// util/push/push.go and cache/remotecache/export.go.
const (
	partResolve = "resolve "
	partPush    = "pushing "
	partCache   = "writing "
)

// add records a builder's report, and returns whether it is news. A pull repeats its byte count
// even if no more bytes arrive.
func (s running) add(st *client.SolveStatus) (news bool) {
	news = len(st.Vertexes)+len(st.Logs)+len(st.Warnings) > 0
	for _, v := range st.Vertexes {
		at := s.step(v.Digest)
		if at.name = v.Name; v.Started == nil || v.Completed != nil {
			at.name, at.parts = "", map[string]*client.VertexStatus{}
		}
		if _, image, ok := strings.Cut(v.Name, resolves); ok {
			at.image = image
		}
	}
	for _, part := range st.Statuses {
		at := s.step(part.Vertex)
		if image, ok := strings.CutPrefix(part.ID, partResolve); ok {
			at.image = image
		}
		before := at.parts[part.ID]
		news = news || before == nil || before.Current != part.Current || part.Completed != nil
		if at.parts[part.ID] = part; part.Completed != nil {
			delete(at.parts, part.ID)
		}
	}
	return news
}

func (s running) step(vertex digest.Digest) *openStep {
	if s[vertex] == nil {
		s[vertex] = &openStep{parts: map[string]*client.VertexStatus{}}
	}
	return s[vertex]
}

// destinations are what a solve sends to registries.
type destinations struct{ images, caches []string }

// destinationsOf returns the images that a job pushes, and the caches that it writes.
func destinationsOf(job Job) (to destinations) {
	for _, e := range job.Opt.Exports {
		if e.Attrs["push"] == "true" && e.Attrs["name"] != "" {
			to.images = append(to.images, strings.Split(e.Attrs["name"], ",")...)
		}
	}
	for _, e := range job.Opt.CacheExports {
		if ref := e.Attrs["ref"]; e.Type == "registry" && ref != "" {
			to.caches = append(to.caches, ref)
		}
	}
	return to
}

// waits is what a solve waits for.
type waits struct {
	at      string   // the steps, for a message
	images  []string // one for each registry that a step waits for
	pulled  string   // an image with a document or a layer on its way
	pushing bool
}

// waits returns what the steps wait for.
func (s running) waits(to destinations) (w waits) {
	var images, names []string
	for _, at := range s {
		if at.name == "" && len(at.parts) == 0 {
			continue
		}
		name := at.name
		if at.image != "" {
			images = append(images, at.image)
		}
		if strings.Contains(at.name, resolves) {
			w.pulled = at.image
		}
		for _, id := range slices.Sorted(maps.Keys(at.parts)) {
			part := at.parts[id]
			switch {
			case strings.HasPrefix(id, partPush):
				w.pushing = true
				images = append(images, to.images...)
				name += ", " + id + " to " + hosts(oneOfEach(to.images))
			case strings.HasPrefix(id, partCache):
				images = append(images, to.caches...)
				name += ", " + id
			case strings.HasPrefix(id, partResolve), at.image != "" && part.Current < part.Total:
				w.pulled = at.image
			}
		}
		if at.name != "" {
			names = append(names, name)
		}
	}
	w.images, w.at = oneOfEach(images), "no step"
	if len(names) > 0 {
		slices.Sort(names)
		w.at = strings.Join(slices.Compact(names), "; ")
	}
	return w
}

// oneOfEach returns one image for each registry.
func oneOfEach(images []string) []string {
	byHost := func(a, b string) int { return strings.Compare(hostOf(a), hostOf(b)) }
	sorted := slices.SortedFunc(slices.Values(images), byHost)
	return slices.CompactFunc(sorted, func(a, b string) bool { return byHost(a, b) == 0 })
}

// hostOf returns the registry of an image.
func hostOf(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.Domain(named)
}
