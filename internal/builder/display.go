package builder

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/moby/buildkit/util/progress/progresswriter"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/printer"
)

// Display shows the progress of all jobs of one Run.
//
// Jobs share vertices: npm runs once for many images. BuildKit then reports the vertex to every
// job, each time with its name and all of its log. The display shows it once, under the name of the
// job that reported it first. Each of several builders has its own vertices (displaypool.go).
type Display struct {
	ui      progressui.Display
	mode    progressui.DisplayMode
	out     io.Writer
	end     func() // the group of lines in the log of a CI system
	secrets *printer.Secrets
	ch      chan *client.SolveStatus
	done    chan struct{}

	mu       sync.Mutex
	closed   bool
	vertices map[digest.Digest]*shown
	groups   map[string]string // ProgressGroup id to the name shown
	warnings map[string]bool
	outputs  map[output]*printer.Stream
}

// shown is what the display knows about a vertex.
type shown struct {
	name      string
	owner     *jobWriter     // the job whose statuses and logs are shown; nil when that job has ended
	last      *client.Vertex // as last shown; nil at first
	completed *time.Time     // when it last completed without error; nil while it runs

	jobs map[*jobWriter]bool // jobs that have reported it and have not ended
}

// NewDisplay returns a display on out, usually os.Stderr. The mode is auto, tty, plain, rawjson or
// quiet. auto takes the mode from BUILDKIT_PROGRESS, else tty on a terminal and plain elsewhere.
// quiet shows nothing at all.
func NewDisplay(out io.Writer, mode string) (*Display, error) {
	name := "--progress"
	if env := os.Getenv("BUILDKIT_PROGRESS"); env != "" && (mode == "" || mode == string(progressui.AutoMode)) {
		name, mode = "BUILDKIT_PROGRESS", env
	}
	if mode != "" && !slices.Contains(ProgressModes(), mode) {
		return nil, fmt.Errorf("%s: %q is not a type of progress output: use %s", name, mode, strings.Join(ProgressModes(), ", "))
	}
	ui, err := progressui.NewDisplay(printer.Raw(out), progressui.DisplayMode(mode))
	if err != nil {
		return nil, err
	}
	return &Display{ui: ui, mode: progressui.DisplayMode(mode), out: out}, nil
}

// ProgressModes are the modes of a display.
func ProgressModes() []string { return []string{"auto", "tty", "plain", "rawjson", "quiet"} }

func quiet() *Display {
	d, _ := NewDisplay(io.Discard, string(progressui.QuietMode)) // cannot fail
	return d
}

// start starts the display, which masks the secrets. Attachables that log, such as the credentials
// ("[auth] … token for …"), log to the display.
func (d *Display) start(secrets *printer.Secrets, attachables []session.Attachable) {
	d.end = func() {}
	if d.mode != progressui.QuietMode && d.mode != progressui.RawJSONMode {
		d.end = printer.Group(d.out, "samforge: progress")
	}
	d.secrets, d.outputs = secrets, map[output]*printer.Stream{}
	d.ch, d.done = make(chan *client.SolveStatus), make(chan struct{})
	d.vertices, d.groups, d.warnings = map[digest.Digest]*shown{}, map[string]string{}, map[string]bool{}
	go func() {
		defer close(d.done)
		// This ends when the channel is closed, not when a context ends, so that the last lines are
		// shown after a cancellation.
		_, _ = d.ui.UpdateFrom(context.Background(), d.ch)
	}()
	for _, a := range attachables {
		if l, ok := a.(interface{ SetLogger(progresswriter.Logger) }); ok {
			l.SetLogger(d.send)
		}
	}
}

// stop shows the last lines and ends the display. Anything sent later is dropped.
func (d *Display) stop() {
	d.mu.Lock()
	d.closed = true
	close(d.ch)
	d.mu.Unlock()
	<-d.done
	d.end()
}

// tell shows a sentence that belongs to no step of a job.
func (d *Display) tell(sentence string) {
	now := time.Now()
	d.send(vertexes(&client.Vertex{Digest: digest.FromString(sentence), Name: sentence, Started: &now, Completed: &now}))
}

func vertexes(v ...*client.Vertex) *client.SolveStatus { return &client.SolveStatus{Vertexes: v} }

func (d *Display) send(st *client.SolveStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sendLocked(st)
}

func (d *Display) sendLocked(st *client.SolveStatus) {
	if !d.closed {
		d.clean(st)
		d.ch <- st
	}
}

// jobWriter writes one job's progress to the display.
type jobWriter struct {
	d       *Display
	prefix  string
	builder string // address of the builder that solves the job; empty if there is only one builder
	exports map[digest.Digest]bool
}

// writer returns the jobWriter of a job. It names the job's vertices "[prefix …] …"; an empty
// prefix adds nothing.
func (d *Display) writer(prefix string) *jobWriter {
	return &jobWriter{d: d, prefix: prefix, exports: map[digest.Digest]bool{}}
}

// write shows the parts of st that have not been shown yet. The caller must not use st afterwards.
func (w *jobWriter) write(st *client.SolveStatus) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.ownNames(st)
	w.sayNewCaches(st)
	warnings := w.newWarnings(st)
	out := &client.SolveStatus{Warnings: warnings}
	for _, v := range st.Vertexes {
		s := w.d.vertices[v.Digest]
		if s == nil {
			s = &shown{name: w.named(v.Name), jobs: map[*jobWriter]bool{}}
			w.d.vertices[v.Digest] = s
		}
		s.jobs[w] = true
		if !w.news(s, v) {
			continue
		}
		s.last = v
		v.Name = s.name
		if g := v.ProgressGroup; g != nil {
			if w.d.groups[g.Id] == "" {
				w.d.groups[g.Id] = w.named(g.Name)
			}
			g.Name = w.d.groups[g.Id]
		}
		out.Vertexes = append(out.Vertexes, v)
	}
	for _, vs := range st.Statuses {
		if s := w.d.vertices[vs.Vertex]; s != nil && w.owns(s) {
			out.Statuses = append(out.Statuses, vs)
		}
	}
	for _, l := range st.Logs {
		if s := w.d.vertices[l.Vertex]; s != nil && w.owns(s) {
			out.Logs = append(out.Logs, l)
		}
	}
	for _, warning := range warnings {
		// progressui's plain mode prints a warning together with the next news of its vertex, and a
		// finished vertex has no more news. A status that has not started counts as news, and shows
		// nothing.
		out.Statuses = append(out.Statuses, &client.VertexStatus{Vertex: warning.Vertex})
	}
	if len(out.Vertexes)+len(out.Statuses)+len(out.Logs)+len(out.Warnings) > 0 {
		w.d.sendLocked(out)
	}
}

// newWarnings returns the warnings of st that no job has shown. Several builders report the same
// warning, each at its own vertex, because each got its own copy of the build file.
func (w *jobWriter) newWarnings(st *client.SolveStatus) []*client.VertexWarning {
	var fresh []*client.VertexWarning
	for _, warning := range st.Warnings {
		key := string(warning.Short) + "\n" + warning.URL
		if w.builder == "" {
			key = string(warning.Vertex) + "\n" + key
		}
		if !w.d.warnings[key] {
			w.d.warnings[key] = true
			fresh = append(fresh, warning)
		}
	}
	return fresh
}

// news reports whether to show v, as w's job sees it. BuildKit reports a shared vertex to each of
// its jobs at different times. A job that reaches a finished vertex gets "cached", which would
// confuse the reader.
func (w *jobWriter) news(s *shown, v *client.Vertex) bool {
	if s.completed != nil {
		again := v.Started != nil && v.Started.After(*s.completed) // such as a layer that only this job needs
		if !again || v.Cached {
			return false
		}
		s.completed = nil
	}
	if last := s.last; last != nil && last.Started != nil && last.Completed == nil {
		// Jobs that resolve the same source do so one after the other, each from its own start. To
		// BuildKit's display each start is a run of its own, and only one of them ends.
		if v.Started == nil {
			return false
		}
		v.Started = last.Started
		if v.Completed != nil && v.Completed.Before(*v.Started) {
			v.Completed = v.Started
		}
	}
	w.owns(s)
	if v.Completed != nil && v.Error == "" {
		s.completed = v.Completed
	}
	return s.last == nil || !sameTime(v.Started, s.last.Started) || !sameTime(v.Completed, s.last.Completed) ||
		v.Error != s.last.Error || v.Cached != s.last.Cached
}

func sameTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

// owns reports whether the display shows w's view of a vertex. It takes a running vertex over from
// a job that has ended.
func (w *jobWriter) owns(s *shown) bool {
	if s.owner == nil && s.completed == nil {
		s.owner = w
	}
	return s.owner == w
}

// close releases the vertices that w owns. A job that still waits for such a vertex goes on showing
// it. If no job waits for it, the vertex has ended, even if BuildKit has not reported it.
func (w *jobWriter) close() {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	now := time.Now()
	for _, s := range w.d.vertices {
		if s.owner == w {
			s.owner = nil
		}
		delete(s.jobs, w)
		if s.last != nil && s.last.Started != nil && s.last.Completed == nil && len(s.jobs) == 0 {
			v := *s.last
			v.Completed = &now
			s.last, s.completed = &v, &now
			w.d.sendLocked(vertexes(&v))
		}
	}
}

// named puts the prefix into the bracket that starts a vertex name, as buildx does, unless it is
// there already.
func (w *jobWriter) named(name string) string {
	rest, bracket := strings.CutPrefix(name, "[")
	switch {
	case w.prefix == "":
		return name
	case !bracket:
		return "[" + w.prefix + "] " + name
	case strings.HasPrefix(rest, w.prefix+"]") || strings.HasPrefix(rest, w.prefix+" "):
		return name
	}
	return "[" + w.prefix + " " + rest
}
