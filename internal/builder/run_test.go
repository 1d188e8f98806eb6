//go:build linux

package builder

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

func fileState(name string) llb.State {
	return llb.Scratch().File(llb.Mkfile("/"+name, 0o644, []byte(name)), llb.WithCustomName("write "+name))
}

func TestRunBuildsManyInOneSessionAndOneFailureStopsNothing(t *testing.T) {
	b := startForTest(t)
	broken := Job{Name: "broken", Build: func(context.Context, gateway.Client) (*gateway.Result, error) {
		return nil, errors.New("no such runtime")
	}}
	local := stateJob("local", fileState("exported"))
	out := t.TempDir()
	local.Opt.Exports = []client.ExportEntry{{Type: client.ExporterLocal, OutputDir: out}}
	jobs := []Job{sleepJob("python3.12", "10ms"), broken, sleepJob("java21", "10ms"), local}
	jobs[0].Opt.CacheImports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{"ref": "127.0.0.1:1/none"}}}

	var shown bytes.Buffer
	d, err := NewDisplay(&shown, "plain")
	if err != nil {
		t.Fatal(err)
	}
	results := b.Run(t.Context(), sleepSession(t), jobs, d)
	for i, r := range results {
		if r.Name != jobs[i].Name {
			t.Errorf("result %d is %s, want %s", i, r.Name, jobs[i].Name)
		}
		if failed := r.Err != nil; failed != (r.Name == "broken") || failed == (r.Response != nil) {
			t.Errorf("%s: %v, %v", r.Name, r.Response, r.Err)
		}
	}
	if err := results[1].Err; err == nil || !strings.Contains(err.Error(), "no such runtime") || results[1].Cancelled() {
		t.Errorf("broken: %v", err)
	}
	if dt, err := os.ReadFile(filepath.Join(out, "exported")); string(dt) != "exported" {
		t.Errorf("exported to the client: %q, %v", dt, err)
	}
	if n := strings.Count(shown.String(), "] sleep 10ms"); n != 1 {
		t.Errorf("the shared step is shown %d times:\n%s", n, shown.String())
	}
}

func TestRunCollectsAndShowsWarnings(t *testing.T) {
	b := startForTest(t)
	warning := Job{Name: "a", Build: func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		st := fileState("warned")
		def, err := st.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		res, err := c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
		if err != nil {
			return nil, err
		}
		dgst, err := def.Head()
		if err != nil {
			return nil, err
		}
		return res, c.Warn(ctx, dgst, "go-template has no checksum", gateway.WarnOpts{Level: 1})
	}}
	var shown bytes.Buffer
	d, _ := NewDisplay(&shown, "plain")
	r := b.Run(t.Context(), SessionOptions{}, []Job{warning}, d)[0]
	if r.Err != nil || len(r.Warnings) != 1 || string(r.Warnings[0].Short) != "go-template has no checksum" {
		t.Errorf("got %v, warnings %v", r.Err, r.Warnings)
	}
	if !strings.Contains(shown.String(), "go-template has no checksum") {
		t.Errorf("not shown:\n%s", shown.String())
	}
}

func TestRunStopsWhenCancelledAndLeavesNothing(t *testing.T) {
	b := startForTest(t)
	so := sleepSession(t)
	before := runtime.NumGoroutine()
	running := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-running
		cancel()
	}()
	shown := &notifyOn{text: "sleeping for", seen: running}
	d, _ := NewDisplay(shown, "plain")

	begin := time.Now()
	results := b.Run(ctx, so, []Job{sleepJob("a", aLongTime(os.Getpid())), sleepJob("b", "59m")}, d)
	for _, r := range results {
		if !r.Cancelled() || r.Response != nil {
			t.Errorf("%s: %v, %v", r.Name, r.Response, r.Err)
		}
	}
	t.Logf("ended %s after it began", time.Since(begin))
	waitGoroutines(t, before)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	waitNoProcess(t, "/sleep\x00"+aLongTime(os.Getpid()))
}

// notifyOn closes seen once text has been written.
type notifyOn struct {
	bytes.Buffer
	text string
	seen chan struct{}
}

func (n *notifyOn) Write(p []byte) (int, error) {
	_, _ = n.Buffer.Write(p)
	if n.seen != nil && strings.Contains(n.String(), n.text) {
		close(n.seen)
		n.seen = nil
	}
	return len(p), nil
}

func TestRunNamesTheBuilderThatWasLost(t *testing.T) {
	b := startForTest(t)
	running := make(chan struct{})
	go func() {
		<-running
		_ = syscall.Kill(-b.daemon.cmd.Process.Pid, syscall.SIGKILL)
	}()
	d, _ := NewDisplay(&notifyOn{text: "sleeping for", seen: running}, "plain")
	r := b.Run(t.Context(), sleepSession(t), []Job{sleepJob("a", "1s")}, d)[0]
	var lost *LostError
	if !errors.As(r.Err, &lost) || !strings.HasPrefix(r.Err.Error(), "the private buildkitd at unix://") || lost.Log == "" {
		t.Errorf("got %v", r.Err)
	}
}
