package builder

import (
	"bytes"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/printer"
)

// vertex returns a vertex as BuildKit reports it: waiting, running or done, at seconds since an
// epoch.
func vertex(name string, times ...int) *client.Vertex {
	v := &client.Vertex{Digest: digest.FromString(name), Name: name}
	if len(times) > 0 {
		v.Started = at(times[0])
	}
	if len(times) > 1 {
		v.Completed = at(times[1])
	}
	return v
}

func at(seconds int) *time.Time {
	t := time.Unix(int64(1000+seconds), 0)
	return &t
}

func vertices(vs ...*client.Vertex) *client.SolveStatus { return &client.SolveStatus{Vertexes: vs} }

func logs(name, text string) *client.SolveStatus {
	return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: digest.FromString(name), Data: []byte(text), Timestamp: *at(1)}}}
}

// plain shows what feed writes in plain mode, without the times.
func plain(t *testing.T, feed func(*Display)) string {
	t.Helper()
	var out bytes.Buffer
	d, err := NewDisplay(&out, "plain")
	if err != nil {
		t.Fatal(err)
	}
	d.start(&printer.Secrets{}, nil)
	feed(d)
	d.stop()
	return regexp.MustCompile(`\b\d+\.\d+s?`).ReplaceAllString(out.String(), "T")
}

func TestDisplayNamesVerticesAfterTheirJob(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ prefix, vertex, want string }{
		"one job has no prefix":                       {"", "[internal] load samforge.yaml", "[internal] load samforge.yaml"},
		"a name without bracket gets one":             {"nodejs22.x", "exporting to image", "[nodejs22.x] exporting to image"},
		"a name with a bracket gets the prefix in it": {"nodejs22.x", "[internal] load samforge.yaml", "[nodejs22.x internal] load samforge.yaml"},
		"a name that has the prefix stays":            {"nodejs22.x", "[nodejs22.x] assemble image", "[nodejs22.x] assemble image"},
		"a name that begins with the prefix stays":    {"nodejs22.x", "[nodejs22.x linux/arm64] assemble", "[nodejs22.x linux/arm64] assemble"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (&Display{}).writer(tc.prefix).named(tc.vertex); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDisplayShowsASharedVertexOnce(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		python, java := d.writer("python3.12"), d.writer("java21")
		for _, job := range []*jobWriter{python, java} {
			job.write(vertices(vertex("npm ci", 0)))
			job.write(logs("npm ci", "added 400 packages\n"))
		}
		for _, job := range []*jobWriter{python, java} {
			job.write(vertices(vertex("npm ci", 0, 5)))
		}
		python.close()
		cached := vertex("npm ci", 6, 6)
		cached.Cached = true
		java.write(vertices(cached))
		java.close()
	})
	if want := "#1 [python3.12] npm ci\n#1 T added 400 packages\n#1 DONE T\n"; strings.TrimLeft(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDisplayDoesNotGoBackWhenOneJobIsToldLater(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		first, second := d.writer("a"), d.writer("b")
		first.write(vertices(vertex("npm ci")))
		second.write(vertices(vertex("npm ci", 0)))
		second.write(vertices(vertex("npm ci", 0, 5)))
		first.write(vertices(vertex("npm ci", 0)))
		first.write(vertices(vertex("npm ci", 0, 5)))
	})
	if want := "#1 [a] npm ci\n#1 DONE T\n"; strings.TrimLeft(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each job that resolves a source reports a start of its own, and only one of them an end.
func TestDisplayEndsAVertexThatSeveralJobsStart(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		a, b, c := d.writer("a"), d.writer("b"), d.writer("c")
		a.write(vertices(vertex("load metadata", 0)))
		b.write(vertices(vertex("load metadata", 1)))
		c.write(vertices(vertex("load metadata")))
		c.write(vertices(vertex("load metadata", 2)))
		b.write(vertices(vertex("load metadata", 1, 3)))
		a.close()
		b.close()
		c.close()
	})
	if want := "#1 [a] load metadata\n#1 DONE T\n"; strings.TrimLeft(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDisplayShowsWhatASharedVertexDoesAgain(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		first, second := d.writer("a"), d.writer("b")
		first.write(vertices(vertex("pull", 0, 1)))
		first.close()
		second.write(vertices(vertex("pull", 0, 1)))
		second.write(vertices(vertex("pull", 5)))
		second.write(logs("pull", "a layer that only b needs\n"))
		second.write(vertices(vertex("pull", 5, 8)))
	})
	if !strings.Contains(got, "a layer that only b needs") || strings.Count(got, "DONE") != 2 {
		t.Errorf("got\n%s", got)
	}
}

func TestDisplayGoesOnWithAVertexWhoseFirstJobHasEnded(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		first, second := d.writer("a"), d.writer("b")
		first.write(vertices(vertex("npm ci", 0)))
		second.write(vertices(vertex("npm ci", 0)))
		first.close()
		second.write(logs("npm ci", "still at it\n"))
		second.write(vertices(vertex("npm ci", 0, 5)))
	})
	if !strings.Contains(got, "#1 [a] npm ci") || !strings.Contains(got, "still at it") || !strings.Contains(got, "#1 DONE") {
		t.Errorf("got\n%s", got)
	}
}

func TestDisplayShowsAWarningOnce(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		for _, prefix := range []string{"a", "b"} {
			w := d.writer(prefix)
			w.write(vertices(vertex("npm ci", 0)))
			w.write(&client.SolveStatus{Warnings: []*client.VertexWarning{{Vertex: digest.FromString("npm ci"), Short: []byte("no checksum")}}})
		}
	})
	if n := strings.Count(got, "WARN: no checksum"); n != 1 {
		t.Errorf("shown %d times:\n%s", n, got)
	}
}

func TestDisplayDropsWhatComesLateAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var out bytes.Buffer
	for _, mode := range []string{"plain", "rawjson", "quiet"} {
		d, err := NewDisplay(&out, mode)
		if err != nil {
			t.Fatal(err)
		}
		d.start(&printer.Secrets{}, nil)
		d.stop()
		d.send(vertices(vertex("late", 0)))
	}
	if out.Len() != 0 {
		t.Errorf("shown: %s", out.String())
	}
	waitGoroutines(t, before)
}

func TestDisplayRefusesWhatItCannotShow(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"tty", "fancy"} {
		if _, err := NewDisplay(&bytes.Buffer{}, mode); err == nil || mode != "tty" && !strings.Contains(err.Error(), "use auto, tty, plain, rawjson, quiet") {
			t.Errorf("%s on a buffer: no error", mode)
		}
	}
}

// waitGoroutines fails when there are more than before, some seconds later.
func waitGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := runtime.NumGoroutine()
		if n <= before {
			return
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
	}
}
