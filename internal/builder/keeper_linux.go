package builder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeperName is argv[0] of the process between samforge and its buildkitd.
const keeperName = "samforge-keeper"

// stopTimeout bounds the orderly end: milliseconds on an idle buildkitd, a little more while it
// cleans up after builds.
const stopTimeout = 10 * time.Second

// Keeper does not return when the process was started as a keeper, see keeperCommand. A program
// that uses this package calls it first of all in main.
func Keeper() {
	if os.Args[0] == keeperName && len(os.Args) > 2 {
		runtime.LockOSThread() // the parent-death signal is sent when the thread that forked ends
		os.Exit(keep(os.Args[1], os.Args[2:]))
	}
}

// keeperCommand returns the command that runs argv under a keeper, which at last removes the folder
// run.
//
// buildkitd ends without waiting for the build steps that it has begun to kill, and the processes
// of a step outlive the runc that started them: they would stay when samforge or buildkitd is
// killed in the middle of one. Hence a process in between, which the kernel makes the parent of
// whatever is left behind (PR_SET_CHILD_SUBREAPER of prctl(2)) and which kills that before it ends.
// It needs no privilege, unlike a PID namespace with a /proc of its own.
//
// The mounts of a buildkitd that runs as root would stay as well. They are made in a mount
// namespace of the keeper's, and the kernel removes them with its last process.
func keeperCommand(run string, argv []string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{keeperName, run}, argv...)}
}

// keep runs argv, ends it on SIGTERM or SIGHUP, and returns its exit code once nothing that it
// started is left.
func keep(run string, argv []string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGHUP) // SIGHUP: samforge was killed while the keeper was stopped
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "adopt what build steps leave behind:", err)
		return 1
	}
	if err := ownMounts(); err != nil {
		fmt.Fprintln(os.Stderr, "make a mount namespace:", err)
		return 1
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		<-terminated
		_ = cmd.Process.Signal(syscall.SIGTERM)
		time.Sleep(stopTimeout)
		_ = cmd.Process.Kill()
	}()
	_ = cmd.Wait()
	killOrphans()
	_ = os.RemoveAll(run)
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// ownMounts gives this thread and what it starts a mount namespace. What the machine mounts and
// unmounts is seen in it, but not the other way round. Who may not make one may not mount either,
// or has one already, made by rootlesskit.
func ownMounts() error {
	err := unix.Unshare(unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	}
	if errors.Is(err, os.ErrPermission) {
		return nil
	}
	return err
}

// killOrphans kills this process's children, then those that it inherits from them, until there are
// none. It asks again and again rather than wait for them, as a listing of children that end
// meanwhile may miss others, and gives up after stopTimeout what cannot be killed.
func killOrphans() {
	for deadline := time.Now().Add(stopTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, pid := range children() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for pid, err := 1, error(nil); pid > 0; {
			if pid, err = syscall.Wait4(-1, nil, syscall.WNOHANG, nil); errors.Is(err, syscall.ECHILD) {
				return
			}
		}
	}
}

// adopt makes this process the parent of what a keeper leaves behind that was itself killed.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// settleTime is how long nothing must be left before nothing more is expected: each process becomes
// a child of this one only when the one that started it has ended, and a listing of children may
// miss some meanwhile.
const settleTime = 500 * time.Millisecond

// killAdopted kills what a killed keeper's process group left behind. Build steps have sessions of
// their own; they are those of this process's children that are in another mount namespace, and no
// keepers.
func killAdopted(group int) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return
	}
	seen := time.Now()
	for deadline := seen.Add(stopTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		left := syscall.Kill(-group, syscall.SIGKILL) == nil
		for _, pid := range children() {
			dir := fmt.Sprintf("/proc/%d/", pid)
			line, _ := os.ReadFile(dir + "cmdline")
			ns, err := os.Readlink(dir + "ns/mnt")
			of, _ := syscall.Getpgid(pid)
			if of == group || err == nil && ns != own && !bytes.HasPrefix(line, []byte(keeperName+"\x00")) {
				left = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
		}
		switch {
		case left:
			seen = time.Now()
		case time.Since(seen) > settleTime:
			return
		}
	}
}

// children returns the process ids of the children of all threads: see /proc/tid/children in
// proc(5).
func children() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []int
	for _, file := range files {
		dt, _ := os.ReadFile(file)
		for _, field := range bytes.Fields(dt) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// exitCode is the one that a shell returns: of a process that a signal ended, 128 and the signal's
// number.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
