package builder

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
)

// on returns the jobWriter of a job on one of several builders.
func on(d *Display, builder, prefix string) *jobWriter {
	w := d.writer(prefix)
	w.builder = builder
	return w
}

func TestDisplayShowsAStepOnceForEachBuilder(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		a, alsoA, b := on(d, "tcp://a", "python3.12"), on(d, "tcp://a", "python3.13"), on(d, "tcp://b", "java21")
		a.write(vertices(vertex("npm ci", 0)))
		b.write(vertices(vertex("npm ci", 3)))
		for _, job := range []*jobWriter{a, alsoA} {
			job.write(vertices(vertex("npm ci", 0, 5)))
		}
		b.write(logs("npm ci", "added 400 packages\n"))
		b.write(vertices(vertex("npm ci", 3, 9)))
	})
	for text, want := range map[string]int{"[python3.12] npm ci": 1, "[java21] npm ci": 1, "python3.13": 0, "added 400": 1, "DONE": 2} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q is shown %d times, want %d:\n%s", text, n, want, got)
		}
	}
}

func TestDisplayShowsAWarningOfSeveralBuildersOnce(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		for _, builder := range []string{"tcp://a", "tcp://b"} {
			file := vertex("load samforge.yaml from "+builder, 0, 1)
			st := vertices(file)
			st.Warnings = []*client.VertexWarning{{Vertex: file.Digest, Short: []byte("go-template has no checksum")}}
			on(d, builder, "java21").write(st)
		}
	})
	if n := strings.Count(got, "no checksum"); n != 1 {
		t.Errorf("the warning is shown %d times:\n%s", n, got)
	}
}

func TestDisplayEndsWhatALostBuilderWasDoing(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		lost := on(d, "tcp://a", "java21")
		lost.write(vertices(vertex("done", 0, 1), vertex("running", 1), vertex("waiting")))
		lost.abandon()
		lost.close()
		d.tell("lost the builder tcp://a")
		on(d, "tcp://b", "java21").write(vertices(vertex("running", 3, 4)))
	})
	for text, want := range map[string]int{"CANCELED": 1, "lost the builder tcp://a": 1, "[java21] running": 2, "waiting": 0} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q is shown %d times, want %d:\n%s", text, n, want, got)
		}
	}
}
