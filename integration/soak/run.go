package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// limit is the time after which a run counts as one that never ends.
const limit = 2 * time.Minute

// run is one run of samforge.
type run struct {
	*task
	number     int
	builder    *builder
	repository string
	cmd        *exec.Cmd
	stdout     bytes.Buffer
	stderr     *ticking

	began, ended time.Time
	code         int            // -1 if a signal ended it
	endless      bool           // it was ended after the limit
	peak         int64          // of its resident set, in bytes
	hits         []*fault       // the faults that may have to do with how it ended
	sent         syscall.Signal // by a fault
}

// run runs a task, and returns when it has ended.
func (s *soak) run(ctx context.Context, t *task, b *builder, more []string) *run {
	r := &run{task: t, builder: b}
	s.mu.Lock()
	s.number++
	r.number = s.number
	s.mu.Unlock()
	r.repository = fmt.Sprintf("%s/soak/run-%d", s.relay.Addr, r.number)
	args, env := t.command(b, r.repository)
	r.cmd = exec.Command(s.samforge, args...)
	r.cmd.Dir = s.work("")
	r.cmd.Env = append(s.environment(), append(env, more...)...)
	r.stderr = &ticking{tick: func() {
		r.measure()
		s.tick(r)
	}}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, r.stderr
	r.cmd.WaitDelay = 5 * time.Second
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.began = time.Now()
	err := r.cmd.Start()
	if err == nil {
		s.begin(r)
		err = s.wait(ctx, r)
	}
	r.ended, r.code = time.Now(), -1
	if r.cmd.ProcessState != nil {
		r.code = r.cmd.ProcessState.ExitCode()
	} else {
		s.problem("run %d (%s) did not start: %v", r.number, t.name, err)
	}
	s.end(r)
	return r
}

// environment is that of all clients: nothing of this program's but PATH.
func (s *soak) environment() []string {
	home := filepath.Join(s.dir, "home")
	return []string{
		"PATH=" + filepath.Dir(s.samforge) + ":" + os.Getenv("PATH"), "HOME=" + home, "DOCKER_CONFIG=" + home,
		"TMPDIR=" + filepath.Join(s.dir, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(s.dir, "run"), marker + "=" + s.dir,
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
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if found := peakLine.FindSubmatch(status); err == nil && found != nil {
		kilobytes, _ := strconv.ParseInt(string(found[1]), 10, 64)
		r.peak = kilobytes << 10
	}
}

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// variable matches what differs from run to run in what a function answers.
var variable = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z`)

// printed returns what the run printed, without what differs from run to run.
func (r *run) printed() string {
	return variable.ReplaceAllString(strings.ReplaceAll(r.stdout.String(), r.repository, "REPOSITORY"), "…")
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

// message returns what the run said last, from the line on that says why it failed.
func (r *run) message() string {
	text := strings.TrimSpace(r.stderr.String())
	if at := strings.LastIndex("\n"+text, "\nsamforge: "); at >= 0 {
		return text[at:]
	}
	return ""
}
