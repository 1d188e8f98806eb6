package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
)

// runtime is the process of a function's runtime, with those of its extensions.
type runtime struct {
	api    *runtimeapi.Server
	server *http.Server
	logs   *logs
	memory *memory

	mu       sync.Mutex
	started  []*process
	waiting  sync.WaitGroup
	stopping atomic.Bool // the end of a process is expected
}

// process is a process with a group of its own.
type process struct {
	name string // that of an extension, or "" for the runtime itself
	pid  int
	over chan struct{} // closed when it has ended
}

// externalExtensions returns the programs that Lambda starts beside a runtime.
func externalExtensions() (paths, names []string) {
	entries, _ := os.ReadDir(extensionFolder) // an image without extensions has none
	for _, entry := range entries {
		if !entry.IsDir() {
			paths = append(paths, filepath.Join(extensionFolder, entry.Name()))
			names = append(names, entry.Name())
		}
	}
	return paths, names
}

const extensionFolder = "/opt/extensions"

// run starts the extensions and, when they have registered, the runtime.
func (r *runtime) run(ctx context.Context, in *instance, address string, extensions []string) error {
	if len(extensions) > runtimeapi.MaxExtensions {
		return runtimeapi.NewError("Extension.LaunchError", "Error: the image has %d extensions, and Lambda starts %d", len(extensions), runtimeapi.MaxExtensions)
	}
	env := append(in.spec.Env[:len(in.spec.Env):len(in.spec.Env)], "AWS_LAMBDA_RUNTIME_API="+address)
	for _, extension := range extensions {
		ended := func(err error) {
			if !r.memory.exceeded() { // which ends all of them
				r.api.End(runtimeapi.NewError("Extension.Crash", "Error: %s", exitText(err)))
			}
		}
		if err := r.startProcess(in, extensionEnv(env), []string{extension}, filepath.Base(extension), ended); err != nil {
			return runtimeapi.NewError("Extension.LaunchError", "Error: %v", err)
		}
	}
	if err := r.api.WaitRegistered(ctx); err != nil {
		return err
	}
	if err := r.startProcess(in, env, in.spec.Args, "", func(err error) { r.api.End(exitError(err)) }); err != nil {
		kind := "Runtime.InvalidEntrypoint"
		if info, stat := os.Stat(in.spec.Dir); in.spec.Dir != "" && (stat != nil || !info.IsDir() || info.Mode()&0o001 == 0) {
			kind = "Runtime.InvalidWorkingDir"
		}
		return runtimeapi.NewError(kind, "Error: %v", err)
	}
	if !shows(procFolder, os.Getpid(), r.started[len(r.started)-1].pid) {
		in.send(Message{Warning: "WARNING: the builder does not show how much memory a function has: its MemorySize is no limit here"})
	}
	return nil
}

// extensionEnv returns the environment without the variables that only a runtime has:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
func extensionEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
			return true
		}
		return false
	})
}

// startProcess starts a process as the function's user. ended is called when it has ended before the
// instance does.
func (r *runtime) startProcess(in *instance, env, args []string, name string, ended func(error)) error {
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
	p := &process{name: name, pid: cmd.Process.Pid, over: make(chan struct{})}
	r.mu.Lock()
	r.started = append(r.started, p)
	r.mu.Unlock()
	r.waiting.Go(func() {
		err := cmd.Wait()
		close(p.over)
		if !r.stopping.Load() {
			r.logs.flush()
			ended(err)
		}
	})
	return nil
}

// exitText is how a process ended.
func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
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
