// Runs a daemon so that it cannot outlive the program that started it.

package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running daemon, the leader of its own process group.
type process struct {
	cmd  *exec.Cmd
	log  *logTail
	done chan struct{} // closed when the process has been waited for
	err  error         // valid after done
}

// startProcess starts cmd with its output kept in memory.
//
// The kernel sends Pdeathsig when the *thread* that forked the child ends, and Go
// ends idle threads as it likes. So one goroutine locks its thread, forks there,
// and keeps the thread until the child has been waited for: the signal then
// comes exactly when this whole program dies.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, log: &logTail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = 2 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL

	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(cmd.Path), err)
	}
	return p, nil
}

// waitReady polls ready until it succeeds. It gives up, with the log, if the process exits, after
// the limit, or with the context.
func (p *process) waitReady(ctx context.Context, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name := filepath.Base(p.cmd.Path)
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s exited while starting (%w); its log ends with:\n%s", name, p.err, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w); its log ends with:\n%s", name, errors.Join(err, ctx.Err()), p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the whole process group at once and waits for its leader.
func (p *process) kill() {
	select {
	case <-p.done: // its id may already belong to another process
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// stop asks the process pid, which is the leader or works for it, to end. It kills the group if it
// has not ended within the limit.
func (p *process) stop(pid int, limit time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(limit):
	}
	p.kill()
}

// children returns the processes whose parent is pid.
func children(pid int) []int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var pids []int
	for _, task := range tasks {
		data, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// logTail keeps the last 64 KiB that are written to it.
type logTail struct {
	mu  sync.Mutex
	buf []byte
}

func (l *logTail) Write(data []byte) (int, error) {
	const limit = 64 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, data...)
	if len(l.buf) > 2*limit {
		l.buf = bytes.Clone(l.buf[len(l.buf)-limit:])
	}
	return len(data), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}

// workDir is a temporary directory. A lock on a file in it shows that it is in use. A program that
// was killed leaves its directory behind but not its lock, so the next program can recognize the
// directory and remove it.
type workDir struct {
	path string
	lock *os.File
}

func newWorkDir() (*workDir, error) { return newWorkDirIn(os.TempDir()) }

func newWorkDirIn(parent string) (*workDir, error) {
	removeAbandoned(parent)
	path, err := os.MkdirTemp(parent, "samforge-testenv-*")
	if err != nil {
		return nil, fmt.Errorf("making a working directory: %w", err)
	}
	// The file gets the name that removeAbandoned looks for only after it is locked.
	lock, err := os.Create(filepath.Join(path, "lock.new"))
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err == nil {
		err = os.Rename(lock.Name(), filepath.Join(path, "lock"))
	}
	if err == nil {
		err = os.Chmod(path, 0o755) // the rootless buildkitd works below it
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, fmt.Errorf("making a working directory: %w", err)
	}
	return &workDir{path: path, lock: lock}, nil
}

func (d *workDir) join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

func (d *workDir) remove() error {
	_ = d.lock.Close() // an error means that it is closed already
	return os.RemoveAll(d.path)
}

// removeAbandoned removes the directories of programs that no longer run.
func removeAbandoned(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, "samforge-testenv-*", "lock"))
	for _, path := range locks {
		lock, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		lock.Close()
	}
}
