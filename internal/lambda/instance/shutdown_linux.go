package instance

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"
)

// The reasons for the end of an instance.
const (
	spindown = "spindown"
	failure  = "failure"
	timeout  = "timeout"
)

// shutdown ends the processes as Lambda does where there are extensions: SIGTERM for the runtime, then
// an event for the extensions that want it. What has not ended in time is left for kill.
func (r *runtime) shutdown(reason string) {
	r.stopping.Store(true)
	share, limit := r.api.ShutdownTimes()
	if limit == 0 {
		return
	}
	begin := time.Now()
	r.mu.Lock()
	started := slices.Clone(r.started)
	r.mu.Unlock()
	for _, p := range started {
		if p.name == "" {
			p.signal(syscall.SIGTERM)
			p.wait(begin.Add(share))
			p.signal(syscall.SIGKILL)
		}
	}
	deadline := begin.Add(limit)
	want := r.api.Shutdown(reason, deadline)
	for _, p := range started {
		if p.name != "" && slices.Contains(want, p.name) {
			p.wait(deadline)
		}
	}
}

// signal sends a signal to a process and its group.
func (p *process) signal(signal syscall.Signal) { _ = syscall.Kill(-p.pid, signal) }

// wait returns when the process has ended, or at the deadline.
func (p *process) wait(deadline time.Time) {
	limited, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	select {
	case <-p.over:
	case <-limited.Done():
	}
}

// killAll kills all processes with what they started, also what has a group of its own by now.
func (r *runtime) killAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range descendants(os.Getpid()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, p := range r.started {
		p.signal(syscall.SIGKILL)
	}
}

// kill kills all processes, and waits for them.
func (r *runtime) kill() {
	r.stopping.Store(true)
	r.killAll()
	r.waiting.Wait()
	r.memory.stop()
	_ = r.logs.pipe.Close()
	given := time.After(killTimeout)
	for {
		select {
		case <-r.logs.over:
			return
		case <-given: // a process that nothing can find or end
			return
		case <-time.After(killInterval):
			r.killAll() // what was being started
		}
	}
}

// Processes are killed until none has the log, for as long as killTimeout.
const (
	killInterval = 10 * time.Millisecond
	killTimeout  = 2 * time.Second
)
