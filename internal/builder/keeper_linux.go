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

// oneIDKeeperName is argv[0] of a keeper that runs its command in a user namespace with one id.
const oneIDKeeperName = keeperName + "-one-id"

// stopTimeout limits the orderly end: it takes milliseconds on an idle buildkitd, a little more
// while it cleans up after builds.
const stopTimeout = 10 * time.Second

// keeps says that this program calls Keeper. Without that its keepers would be the program again.
var keeps bool

// Keeper does not return if the process was started as a keeper, see keeperCommand, or in place of
// runc, see writeOneIDRunc. A program that
// uses this package calls it first in main.
func Keeper() {
	keeps = true
	switch {
	case len(os.Args) > 2 && (os.Args[0] == keeperName || os.Args[0] == oneIDKeeperName):
		runtime.LockOSThread() // the kernel sends the parent-death signal when the thread that forked ends
		os.Exit(keep(os.Args[1], os.Args[2:], os.Args[0] == oneIDKeeperName))
	case os.Args[0] == triesNamespaceName:
		os.Exit(tryMounts())
	case len(os.Args) > 1 && os.Args[0] == triesOverlayName:
		os.Exit(tryOverlay(os.Args[1]))
	case filepath.Base(os.Args[0]) == oneIDRuncName:
		fmt.Fprintln(os.Stderr, oneIDRunc(os.Args)) // it returns only if it fails
		os.Exit(1)
	}
}

// keeperCommand returns the command that runs argv under a keeper, which finally removes the folder
// run.
//
// buildkitd ends without waiting for the build steps that it has begun to kill, and the processes
// of a step outlive the runc that started them. They would stay if samforge or buildkitd is killed
// in the middle of a step. So a process stands in between: the kernel makes it the parent of
// whatever is left behind (PR_SET_CHILD_SUBREAPER of prctl(2)), and it kills that before it ends.
// It needs no privilege, unlike a PID namespace with its own /proc.
//
// The mounts of a buildkitd that runs as root would stay as well. They are made in the keeper's own
// mount namespace, and the kernel removes them with the last process in it.
func keeperCommand(run string, argv []string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{keeperName, run}, argv...)}
}

// keep runs argv, ends it on SIGTERM or SIGHUP, and returns its exit code when none of its
// processes is left.
func keep(run string, argv []string, oneID bool) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGHUP) // SIGHUP: samforge was killed while the keeper was stopped
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "adopt what build steps leave behind:", err)
		return 1
	}
	leave, err := ownMounts()
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a mount namespace:", err)
		return 1
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if oneID {
		inOneIDNamespace(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		if oneID {
			err = fmt.Errorf("%s: %w", startingInNamespace, err)
		}
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
	// Where a buildkitd that was killed has mounted its state, this would remove it too.
	if leave() == nil {
		_ = os.RemoveAll(run)
	}
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// ownMounts gives this thread and its children a mount namespace. They see what the machine mounts
// and unmounts, but not the other way round. leave takes this thread back to the one before. A user
// who may not make a mount namespace may not mount either, or already has one, made by rootlesskit.
func ownMounts() (leave func() error, err error) {
	before, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, err
	}
	err = unix.Unshare(unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	}
	if errors.Is(err, os.ErrPermission) {
		return before.Close, nil
	}
	return func() error {
		defer before.Close()
		return unix.Setns(int(before.Fd()), unix.CLONE_NEWNS)
	}, err
}

// killOrphans kills this process's children, then those that it inherits from them, until none is
// left. It lists them again and again instead of waiting for them, because a listing may miss some
// while children end. After stopTimeout it gives up on processes that cannot be killed.
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

// adopt makes this process the parent of what a killed keeper leaves behind.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// settleTime is how long there must be no process before killAdopted stops looking. A process
// becomes a child of this one only when its parent has ended, and a listing of children may miss
// some meanwhile.
const settleTime = 500 * time.Millisecond

// killAdopted kills the processes that a killed keeper's process group left behind. Build steps
// have their own sessions; killAdopted finds them as those children of this process that are in
// another mount namespace and are no keepers.
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

// exitCode returns the exit code that a shell would return: 128 plus the signal's number if a
// signal ended the process.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
