package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// limit is the time after which a run counts as one that never ends.
const limit = 2 * time.Minute

// run is one run of samforge.
type run struct {
	*task
	number     int
	builder    *builder
	address    string // of the builder
	repository string
	output     string // see task.writes
	fresh      bool   // without the builder's cache

	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr *ticking

	code    int      // -1 if a signal ended it
	endless bool     // it was ended after the limit
	peak    int64    // of its resident set, in bytes
	hits    []*fault // the faults that may have to do with how it ended
}

func (s *soak) newRun(t *task, b *builder) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	return &run{
		task: t, number: s.number, builder: b, address: b.relay.Addr,
		repository: fmt.Sprintf("%s/soak/run-%d", s.relay.Addr, s.number), output: filepath.Join(s.dir, "out", fmt.Sprintf("run-%d", s.number)),
	}
}

// do runs a run, and returns when it has ended.
func (s *soak) do(ctx context.Context, r *run) {
	args, env := r.command(r)
	r.cmd = exec.Command(s.samforge, args...)
	r.cmd.Dir = s.work("")
	r.cmd.Env = append(s.environment(), env...)
	r.stderr = &ticking{tick: func() {
		r.measure()
		s.tick(r)
	}}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, r.stderr
	r.cmd.WaitDelay = 5 * time.Second
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.code = -1
	s.begin(r)
	defer s.end(r)
	if err := r.cmd.Start(); err != nil {
		s.problem("run %d (%s) did not start: %v", r.number, r.name, err)
		return
	}
	if err := s.wait(ctx, r); errors.Is(err, exec.ErrWaitDelay) {
		s.problem("run %d (%s%s) ended, but something that it started still writes to its output", r.number, r.name, r.faultNames())
	}
	r.code = r.cmd.ProcessState.ExitCode()
}

// failure returns an error unless the exit code is the one without faults.
func (r *run) failure() error {
	if r.code == r.exit {
		return nil
	}
	return fmt.Errorf("without faults, %q ended with %d:\n%s", r.name, r.code, r.stderr)
}

// environment is that of all clients: nothing of this program's but PATH.
func (s *soak) environment() []string {
	home := filepath.Join(s.dir, "home")
	return []string{
		"PATH=" + s.tools + ":" + os.Getenv("PATH"), "HOME=" + home, "DOCKER_CONFIG=" + home,
		"LANG=C.UTF-8", "TMPDIR=" + filepath.Join(s.dir, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(s.dir, "run"),
	}
}

// wait waits for the end of a run. After the limit it makes the program print its goroutines.
func (s *soak) wait(ctx context.Context, r *run) error {
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
	case <-timer.C:
		r.endless = true
		_ = r.cmd.Process.Signal(syscall.SIGQUIT)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		return <-ended
	}
}

// measure records the peak of the run's resident set so far. What the kernel reports at the end of a
// process includes that of the process that forked it.
func (r *run) measure() {
	r.peak = max(r.peak, testenv.MemoryOf(r.cmd.Process.Pid, "VmHWM"))
}

// variable matches what differs from run to run in what a function answers.
var variable = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z`)

// printed returns what the run printed, without what differs from run to run: the images that a
// registry has already come first.
func (r *run) printed() string {
	text := variable.ReplaceAllString(strings.ReplaceAll(r.stdout.String(), r.repository, "REPOSITORY"), "…")
	return strings.Join(slices.Sorted(strings.SplitAfterSeq(text, "\n")), "")
}

// ticking is a log that calls tick for each write, which is about a line.
type ticking struct {
	mu   sync.Mutex
	text bytes.Buffer
	tick func()
}

func (l *ticking) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick()
	return l.text.Write(p)
}

func (l *ticking) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
