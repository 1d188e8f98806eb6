package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// runtime is the process of a function's runtime, with those of its extensions.
type runtime struct {
	api    *runtimeapi.Server
	server *http.Server
	logs   *logs
	memory *memory

	mu      sync.Mutex
	started []int // the process groups
	waiting sync.WaitGroup
	ended   atomic.Bool // the runtime itself has ended, or never started
}

// run starts the processes.
func (r *runtime) run(in *instance, address string, extensions []string) (err error) {
	r.memory = watchMemory(in.spec.Memory, r.killAll)
	if r.logs, err = newLogs(func(text []byte) { in.send(Message{Log: text}) }); err != nil {
		return err
	}
	env := append(in.spec.Env[:len(in.spec.Env):len(in.spec.Env)], "AWS_LAMBDA_RUNTIME_API="+address)
	for _, extension := range extensions {
		if err := r.startProcess(in, env, []string{extension}, nil); err != nil {
			return runtimeapi.NewError("Extension.LaunchError", "Error: %v", err)
		}
	}
	ended := func(err error) {
		r.ended.Store(true)
		r.api.End(exitError(err))
	}
	if err := r.startProcess(in, env, in.spec.Args, ended); err != nil {
		r.ended.Store(true)
		kind := "Runtime.InvalidEntrypoint"
		if info, stat := os.Stat(in.spec.Dir); in.spec.Dir != "" && (stat != nil || !info.IsDir()) {
			kind = "Runtime.InvalidWorkingDir"
		}
		return runtimeapi.NewError(kind, "Error: %v", err)
	}
	return nil
}

// startProcess starts a process as the function's user. ended is called when it has ended.
func (r *runtime) startProcess(in *instance, env, args []string, ended func(error)) error {
	if len(args) == 0 {
		return errors.New("the image has neither ENTRYPOINT nor CMD")
	}
	path, err := lookPath(args[0], env, in.spec.Dir)
	if err != nil {
		return err
	}
	start := func(user *syscall.Credential) (*exec.Cmd, error) {
		cmd := &exec.Cmd{Path: path, Args: args, Env: env, Dir: in.spec.Dir, Stdout: r.logs.pipe, Stderr: r.logs.pipe}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: user}
		return cmd, in.starter.start(cmd)
	}
	cmd, err := start(&syscall.Credential{Uid: in.spec.UID, Gid: in.spec.GID})
	if errors.Is(err, syscall.EINVAL) {
		in.send(Message{Warning: "the builder's user namespace has one id: the function runs as root in it, and reads files that Lambda's user may not"})
		cmd, err = start(nil)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.started = append(r.started, cmd.Process.Pid)
	r.mu.Unlock()
	r.waiting.Go(func() {
		err := cmd.Wait()
		if ended != nil {
			r.logs.flush()
			ended(err)
		}
	})
	return nil
}

// exitError is what Lambda says of a runtime that ended.
func exitError(err error) *runtimeapi.Error {
	if err == nil {
		return runtimeapi.NewError("Runtime.ExitError", "Error: Runtime exited without providing a reason")
	}
	return runtimeapi.NewError("Runtime.ExitError", "Error: Runtime exited with error: %v", err)
}

// lookPath returns the path of a program, as execvp finds it with the PATH of env.
func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, nil
	}
	var folders string
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			folders = value
		}
	}
	var found error = fs.ErrNotExist
	for _, folder := range filepath.SplitList(folders) {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&0o111 == 0:
			found = fs.ErrPermission
		default:
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w in PATH=%s", name, found, folders)
}

// killAll kills all processes with what they started, also what has a group of its own by now.
func (r *runtime) killAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range descendants(os.Getpid()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, group := range r.started {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}

// kill kills all processes, and waits for them.
func (r *runtime) kill() {
	r.killAll()
	r.waiting.Wait()
	r.memory.stop()
	if r.logs == nil {
		return
	}
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

// starter starts processes that end with this one, also where a builder has no process sandbox: the
// kernel ends them with the thread that started them, which is therefore always the same. See
// PR_SET_PDEATHSIG in prctl(2), and https://go.dev/issue/27505.
type starter struct {
	commands chan *exec.Cmd
	started  chan error
}

func newStarter() *starter {
	s := &starter{make(chan *exec.Cmd), make(chan error)}
	go func() {
		goruntime.LockOSThread()
		for cmd := range s.commands {
			s.started <- cmd.Start()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	s.commands <- cmd
	return <-s.started
}

func (s *starter) close() { close(s.commands) }
