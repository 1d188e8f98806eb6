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

// Leftover is something of builds that is still there.
type Leftover struct {
	What string
	// Known says that BuildKit is known to leave it. When buildkitd is killed: temporary files, and the
	// bundles of containers. When a build is cancelled while runc starts a container: an empty control
	// group, and, as buildkitd is the first process here and waits for no others, an ended process. Of
	// each socket of an SSH agent: an empty folder.
	Known bool
}

// Left returns each process, mount, bundle of a container, control group, temporary file and build.
// When nothing is built there should be none.
func (b *Buildkitd) Left(ctx context.Context) (left []Leftover, err error) {
	left = b.processes()
	for _, mount := range b.mounts() {
		left = append(left, Leftover{What: mount})
	}
	for _, dir := range []string{b.dir.join("tmp"), filepath.Join(b.Root, "runc-overlayfs", "executor")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); !forAllBuilds(path) {
				left = append(left, Leftover{"file " + path, b.killed || EmptyLeft(path)})
			}
		}
	}
	for _, group := range b.cgroups() {
		if name := filepath.Base(group); name != b.cgroup() && name != "buildkit" {
			running, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			left = append(left, Leftover{"control group " + group, len(running) == 0})
		}
	}
	builds, err := b.builds(ctx)
	for _, build := range builds {
		left = append(left, Leftover{What: "build " + build})
	}
	return left, err
}

// builds returns the builds that go on.
func (b *Buildkitd) builds(ctx context.Context) (refs []string, err error) {
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
			return refs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("asking buildkitd what it builds: %w", err)
		}
		refs = append(refs, event.GetRecord().GetRef())
	}
}

// forAllBuilds reports whether buildkitd keeps a file until it ends.
func forAllBuilds(path string) bool {
	return slices.ContainsFunc([]string{"rootlesskit*", "resolv*.conf", "hosts*", "runc-log.json"}, func(pattern string) bool {
		match, _ := filepath.Match(pattern, filepath.Base(path))
		return match
	})
}

// EmptyLeft reports whether a temporary file is an empty folder that a buildkitd is known to leave: that
// of the socket of an SSH agent, or where it mounted something when it was killed.
func EmptyLeft(path string) bool {
	entries, err := os.ReadDir(path)
	name := filepath.Base(path)
	return err == nil && len(entries) == 0 && (strings.HasPrefix(name, ".buildkit-ssh-sock") || strings.HasPrefix(name, "buildkit-mount"))
}

// processes returns those that buildkitd has started.
func (b *Buildkitd) processes() (left []Leftover) {
	for _, pid := range descendants(b.process.cmd.Process.Pid) {
		if pid == b.PID || slices.Contains(descendants(pid), b.PID) {
			continue // started it
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // PID (NAME) STATE …
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		ended := strings.Contains(string(stat), ") Z ")
		left = append(left, Leftover{fmt.Sprintf("process %.40s … %s", stat, strings.ReplaceAll(string(command), "\x00", " ")), ended})
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
