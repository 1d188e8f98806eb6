package integration

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/console"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/integration/testenv"
)

// The progress of several targets shows the end of every step, and each target's export separately.
func TestProgressOfSeveralTargets(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	r := run(t, b.env, append([]string{"build", "--progress", "rawjson", "--builder", b.Buildkitd.Addr, "-f", example(t, "sam/matrix.yaml"),
		"--repo", b.repo("ci/progress"), "--push", "--cache-to", "type=registry,ref=" + b.repo("ci/cache") + ":{{.Target}}"}, b.mirrors()...)...)
	lines := r.ok(t)
	type step struct {
		name           string
		started, ended *time.Time
		runs           map[time.Time]bool // by their start: whether they ended
	}
	steps := map[digest.Digest]*step{}
	decoder := json.NewDecoder(strings.NewReader(r.stderr[strings.Index(r.stderr, "{"):]))
	for decoder.More() {
		var status client.SolveStatus
		must(t, decoder.Decode(&status))
		for _, v := range status.Vertexes {
			if steps[v.Digest] == nil {
				steps[v.Digest] = &step{runs: map[time.Time]bool{}}
			}
			s := steps[v.Digest]
			s.name, s.started, s.ended = v.Name, v.Started, v.Completed
			if v.Started != nil {
				s.runs[*v.Started] = s.runs[*v.Started] || v.Completed != nil
			}
		}
	}
	exports := map[string]bool{}
	for _, s := range steps {
		if s.started != nil && s.ended == nil {
			t.Errorf("the step %q never ends", s.name)
		}
		for at, ended := range s.runs {
			if !ended {
				t.Errorf("a run of %q that began at %s never ends", s.name, at)
			}
		}
		if strings.Contains(s.name, "exporting to image") {
			exports[s.name] = true
		}
	}
	if len(exports) != len(lines) {
		t.Errorf("%d images have the exports %v", len(lines), exports)
	}
}

// onTerminal runs a command on a terminal, and returns its exit code and what it shows.
func onTerminal(t *testing.T, p *process) (code int, shown string) {
	t.Helper()
	person, name, err := console.NewPty()
	must(t, err)
	defer person.Close()
	must(t, person.Resize(console.WinSize{Height: 50, Width: 160}))
	terminal, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(person) // ends with an error when nobody has the terminal open
		read <- string(text)
	}()
	p.cmd.Stdout, p.cmd.Stderr = terminal, terminal
	p.start(t)
	must(t, terminal.Close())
	return p.wait(t).code, <-read
}

// On a terminal the progress of several targets ends with all of its steps.
func TestProgressOnATerminalFinishes(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	code, text := onTerminal(t, command(t, b.env, append([]string{"build", "--progress", "tty", "--builder", b.Buildkitd.Addr, "-f", example(t, "sam/matrix.yaml"),
		"--repo", b.repo("ci/progress"), "--push"}, b.mirrors()...)...))
	headlines := regexp.MustCompile(`\[\+\] Building [0-9.]+s \((\d+)/(\d+)\)( FINISHED)?`).FindAllStringSubmatch(text, -1)
	if code != 0 || len(headlines) == 0 {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if last := headlines[len(headlines)-1]; last[1] != last[2] || last[3] == "" {
		t.Errorf("the progress ends with %q\n%s", last[0], text)
	}
}
