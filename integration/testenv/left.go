// What a buildkitd has left behind of its builds.

package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	control "github.com/moby/buildkit/api/services/control"
)

// Left returns what is there of builds: a line for each process, mount, bundle of a container,
// control group, temporary file and build. When nothing is built there should be none.
func (b *Buildkitd) Left(ctx context.Context) (left []string, err error) {
	left = append(b.processes(), b.mounts()...)
	for _, dir := range []string{b.dir.join("tmp"), filepath.Join(b.Root, "runc-overlayfs", "executor")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); !Kept(path) {
				left = append(left, "file "+path)
			}
		}
	}
	for _, group := range b.cgroups() {
		if name := filepath.Base(group); name != b.cgroup() && name != "buildkit" {
			left = append(left, "control group "+group)
		}
	}
	c, err := b.Client(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	active, err := c.ControlClient().ListenBuildHistory(ctx, &control.BuildHistoryRequest{ActiveOnly: true, EarlyExit: true})
	if err != nil {
		return nil, fmt.Errorf("asking buildkitd what it builds: %w", err)
	}
	for {
		event, err := active.Recv()
		if errors.Is(err, io.EOF) {
			return left, nil
		}
		if err != nil {
			return nil, fmt.Errorf("asking buildkitd what it builds: %w", err)
		}
		left = append(left, "build "+event.GetRecord().GetRef())
	}
}

// Kept reports whether buildkitd keeps a temporary file for all builds, or leaves an empty folder: that
// of each socket of an SSH agent, and where it mounted something when it was killed.
func Kept(path string) bool {
	for _, name := range []string{"rootlesskit*", "resolv*.conf", "hosts*", "runc-log.json"} {
		if match, _ := filepath.Match(name, filepath.Base(path)); match {
			return true
		}
	}
	for _, name := range []string{".buildkit-ssh-sock*", "buildkit-mount*"} {
		entries, err := os.ReadDir(path)
		if match, _ := filepath.Match(name, filepath.Base(path)); match && err == nil && len(entries) == 0 {
			return true
		}
	}
	return false
}

// processes returns those that buildkitd has started.
func (b *Buildkitd) processes() (left []string) {
	for _, pid := range descendants(b.process.cmd.Process.Pid) {
		if pid == b.PID || slices.Contains(descendants(pid), b.PID) {
			continue // started it
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // with its name, state and parent
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		left = append(left, fmt.Sprintf("process %.40s … %s", stat, strings.ReplaceAll(string(command), "\x00", " ")))
	}
	return left
}

// descendants returns the processes below pid.
func descendants(pid int) (all []int) {
	for _, child := range children(pid) {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

// mounts returns those below the state of buildkitd, in its mount namespace.
func (b *Buildkitd) mounts() (left []string) {
	info, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", b.PID))
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if at := slices.Index(fields, "-"); at > 4 && len(fields) > at+1 && (strings.HasPrefix(fields[4], b.Root+"/") || strings.HasPrefix(fields[4], b.dir.path+"/")) {
			left = append(left, "mount "+fields[4]+" "+fields[at+1])
		}
	}
	return left
}
