package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startTimeout bounds the start of a private buildkitd, which takes a few tenths of a second on an idle machine.
const startTimeout = 30 * time.Second

// startPrivate starts a buildkitd of our own. Its state is kept for the next time, in the user's cache directory; its
// socket is in a new directory that only the user can enter.
func startPrivate(ctx context.Context, opt Options) (_ *Builder, err error) {
	t, err := opt.findTools(os.Geteuid() != 0)
	if err != nil {
		return nil, err
	}
	cache, err := opt.cacheDir()
	if err != nil {
		return nil, err
	}
	d := &daemon{exited: make(chan struct{})}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if d.state, d.lock, err = lockState(filepath.Join(cache, "samforge", "buildkitd")); err != nil {
		return nil, err
	}
	if d.run, err = runDir(); err != nil {
		return nil, err
	}
	if t.runc == "" {
		opt.log("runc is neither beside samforge nor on PATH: images that run nothing (SAM) can be built, others cannot")
		if t.runc, err = writeNoRunc(d.run); err != nil {
			return nil, err
		}
	}
	argv := t.command(d.state, d.run)
	opt.log("starting a private buildkitd, state in %s", d.state)
	if err := d.start(argv, t.environ(d.run)); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it did not answer within %s", startTimeout))
	defer cancel()
	b, err := d.connect(ctx)
	if err != nil {
		return nil, d.startError(err)
	}
	return b, nil
}

// connect returns a Builder as soon as the daemon answers.
func (d *daemon) connect(ctx context.Context) (*Builder, error) {
	if err := d.waitSocket(ctx); err != nil {
		return nil, err
	}
	b, err := connect(ctx, d.address(), TLS{}, startTimeout)
	if err != nil {
		return nil, err
	}
	b.Kind, b.daemon = Private, d
	return b, nil
}

// tools are the programs that a private buildkitd needs.
type tools struct {
	buildkitd   string
	runc        string // empty when there is none
	rootlesskit string // empty when running as root
	path        string // PATH, with our own directory in front
}

// findTools looks beside our own binary first, then on PATH.
func (o Options) findTools(rootless bool) (tools, error) {
	dirs := filepath.SplitList(o.env("PATH"))
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dirs = append([]string{filepath.Dir(exe)}, dirs...)
	}
	find := func(name string) string {
		for _, dir := range dirs {
			if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return file
			}
		}
		return ""
	}
	t := tools{
		buildkitd: find("buildkitd"),
		runc:      cmp.Or(find("buildkit-runc"), find("runc")),
		path:      strings.Join(dirs, string(os.PathListSeparator)),
	}
	if t.buildkitd == "" {
		return t, errors.New("buildkitd is neither beside samforge nor on PATH")
	}
	if !rootless {
		return t, nil
	}
	if t.rootlesskit = find("rootlesskit"); t.rootlesskit == "" {
		return t, errors.New("without root it needs rootlesskit, which is neither beside samforge nor on PATH")
	}
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if find(name) == "" {
			return t, fmt.Errorf("without root it needs %s, which is not on PATH; install the package uidmap (or shadow-utils)", name)
		}
	}
	return t, nil
}

// command returns the command line of a buildkitd with its state in one directory and its sockets in another.
// Build steps use the host's network: there is no CNI to count on, and rootless there is nothing else.
func (t tools) command(state, run string) []string {
	argv := []string{
		t.buildkitd,
		"--root", state,
		"--addr", "unix://" + filepath.Join(run, "buildkitd.sock"),
		"--otel-socket-path", filepath.Join(run, "otel.sock"), // by default shared by all daemons
		"--oci-worker=true",
		"--oci-worker-net", "host",
		"--oci-worker-binary", t.runc,
		"--containerd-worker=false",
	}
	if t.rootlesskit == "" {
		return argv
	}
	// Without the process sandbox it also works in an unprivileged container, where /proc cannot be mounted anew.
	argv = append(argv, "--oci-worker-no-process-sandbox")
	return append([]string{t.rootlesskit, "--net=host", "--state-dir", filepath.Join(run, "rootlesskit")}, argv...)
}

// environ returns our environment, for the proxies, with what the daemon must find at its place.
func (t tools) environ(run string) []string {
	env := append(os.Environ(), "PATH="+t.path)
	if t.rootlesskit != "" {
		// runc keeps its containers' state here, and where the variable is unset in /run, which is root's.
		env = append(env, "XDG_RUNTIME_DIR="+run)
	}
	return env
}

// cacheDir is os.UserCacheDir with our environment.
func (o Options) cacheDir() (string, error) {
	if dir := o.env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if home := o.env("HOME"); home != "" {
		return filepath.Join(home, ".cache"), nil
	}
	return "", errors.New("no place for its state: neither XDG_CACHE_HOME nor HOME is set")
}

// lockState returns the first of dir, dir-2, dir-3 … that no other samforge uses, locked. A buildkitd that a killed
// samforge left behind for a moment also counts as using it.
func lockState(base string) (dir string, lock *os.File, err error) {
	for i := 1; i <= 100; i++ {
		dir = base
		if i > 1 {
			dir = fmt.Sprintf("%s-%d", base, i)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, fmt.Errorf("make the state directory: %w", err)
		}
		lock, err := tryLock(filepath.Join(dir, "samforge.lock"))
		if err != nil {
			return "", nil, err
		}
		if lock == nil {
			continue
		}
		inner, err := tryLock(filepath.Join(dir, "buildkitd.lock"))
		if inner != nil {
			inner.Close()
			return dir, lock, nil
		}
		lock.Close()
		if err != nil {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("all state directories %s, …-2 to …-100 are in use", base)
}

// tryLock returns the file, locked until it is closed, or nil when another process holds it.
func tryLock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", file, err)
}

// maxRunDir keeps "/rootlesskit/api.sock" below it within the 107 bytes of a Unix socket's path.
const maxRunDir = 80

// runDir makes the directory for the sockets.
func runDir() (string, error) {
	dir, err := os.MkdirTemp("", "samforge-")
	if err == nil && len(dir) > maxRunDir {
		os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "samforge-")
	}
	if err != nil {
		return "", fmt.Errorf("make a directory for the sockets: %w", err)
	}
	return dir, nil
}

// writeNoRunc writes a program in runc's place that says what is missing. buildkitd does not start without a runc, yet
// runs it only for build steps that execute something.
func writeNoRunc(dir string) (string, error) {
	file := filepath.Join(dir, "runc")
	script := "#!/bin/sh\necho 'this build step needs runc, which is neither beside samforge nor on PATH: install runc and run the build again' >&2\nexit 1\n"
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		return "", fmt.Errorf("write a stand-in for runc: %w", err)
	}
	return file, nil
}
