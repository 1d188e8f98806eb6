package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/samforge/samforge/internal/printer"
)

// daemon is a private buildkitd, or the rootlesskit that runs one, under its keeper.
type daemon struct {
	state   *state // buildkitd's root, which is kept; nil until it is locked
	run     string // folder of the sockets; stop removes it
	secrets *printer.Secrets

	cmd    *exec.Cmd     // the keeper; nil until it is started
	exited chan struct{} // closed when cmd has ended
	err    error         // how it ended; read after exited
	once   sync.Once
}

func (d *daemon) address() string { return "unix://" + d.socket() }
func (d *daemon) socket() string  { return filepath.Join(d.run, "buildkitd.sock") }

// logDelay limits the wait for the log of the processes that a killed keeper left behind.
const logDelay = 500 * time.Millisecond

// start runs argv under a keeper, in a user namespace with one id if oneID is true. The keeper gets
// its own process group, so that the Ctrl-C of a terminal reaches only samforge, which can then
// cancel builds in order. It also gets a parent-death signal, so that it ends when samforge is
// killed. The kernel sends that signal when the thread that forked ends, so a goroutine keeps its
// thread until the daemon has ended. keeper and rootlesskit pass SIGTERM on and set the same signal
// for their children.
func (d *daemon) start(argv, env []string, oneID bool) error {
	if err := adopt(); err != nil {
		return err
	}
	file, err := createOwn(d.state.log())
	if err != nil {
		return fmt.Errorf("write its log: %w", err)
	}
	log := printer.NewLines(d.secrets, file)
	cmd := keeperCommand(d.run, argv)
	if oneID {
		cmd.Args[0] = oneIDKeeperName
	}
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	cmd.WaitDelay = logDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}

	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := cmd.Start()
		if err != nil {
			_ = file.Close()
			started <- err
			return
		}
		d.cmd = cmd
		started <- nil
		d.err = cmd.Wait()
		_ = errors.Join(log.Flush(), file.Close())
		if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			killAdopted(cmd.Process.Pid)
		}
		close(d.exited)
	}()
	return <-started
}

// waitSocket returns when the daemon listens. It checks every 2 ms, because a user is waiting.
func (d *daemon) waitSocket(ctx context.Context) error {
	for {
		conn, err := net.Dial("unix", d.socket())
		if err == nil {
			// Close it at once: buildkitd waits two minutes for a silent connection before it
			// stops.
			return conn.Close()
		}
		select {
		case <-d.exited:
			return fmt.Errorf("it ended: %w", d.err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// startError adds the daemon's log to the reason why it could not be reached.
func (d *daemon) startError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	tail := d.logTail()
	if hint := startHint(tail); hint != "" {
		err = fmt.Errorf("%s: %w", hint, err)
	}
	if tail != "" {
		return fmt.Errorf("%w; the end of its log %s:\n%s", err, d.state.log(), tail)
	}
	return err
}

// stop ends the daemon, waits for it and for everything that it started, removes its sockets and
// releases its state. It may be called twice.
func (d *daemon) stop() {
	d.once.Do(func() {
		if d.cmd != nil {
			d.end()
		}
		if d.run != "" {
			_ = os.RemoveAll(d.run)
		}
		if d.state != nil {
			d.state.close()
		}
	})
}

// end makes the keeper end the daemon. A keeper that was stopped (SIGSTOP) is continued first, and
// one that does not answer is killed: it allows itself two times stopTimeout.
func (d *daemon) end() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGCONT)
	select {
	case <-d.exited:
	case <-time.After(3 * stopTimeout):
		_ = d.cmd.Process.Kill()
		<-d.exited
	}
}

func (d *daemon) stateDir() string { return d.state.dir }

// ended is closed when the daemon has ended.
func (d *daemon) ended() <-chan struct{} { return d.exited }

// tailLines is how much of a log an error quotes.
const tailLines = 8

// logTail returns the last lines of the log without Go's stack traces, which buildkitd adds to its
// errors. A daemon that fails stops listening before it logs the reason, so logTail waits a second
// for that.
func (d *daemon) logTail() string {
	select {
	case <-d.exited:
	case <-time.After(time.Second):
	}
	dt, err := os.ReadFile(d.state.log())
	if err != nil {
		return ""
	}
	var kept []string
	for line := range bytes.Lines(dt) {
		text := strings.TrimRight(string(line), "\n")
		if strings.HasPrefix(text, "\t") { // "\tfile.go:12" follows a function's name
			if n := len(kept); n > 0 && !strings.Contains(kept[n-1], " ") {
				kept = kept[:n-1]
			}
			continue
		}
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept[max(0, len(kept)-tailLines):], "\n")
}
