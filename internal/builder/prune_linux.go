package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/samforge/samforge/internal/programs"
)

// stateFolder matches the names of state folders, and of those whose removal was cut off.
var stateFolder = regexp.MustCompile(`^(buildkitd(-one-id)?(-\d{1,3})?|` + removedPrefix + `.+)$`)

// removedPrefix begins the name of a state folder that is being removed.
const removedPrefix = "removed-"

// StateFolders returns the state folders of this user's private builders. Those that others may write to
// are left out: nothing in them is certain.
func (o Options) StateFolders() (found []StateFolder, err error) {
	for _, home := range o.cacheDirs() {
		dir := filepath.Join(home, "samforge")
		entries, err := os.ReadDir(dir)
		if err != nil || checkPrivate(dir) != nil {
			continue
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			if !stateFolder.MatchString(entry.Name()) || checkPrivate(path) != nil {
				continue
			}
			s, err := lockUnused(path)
			if err != nil {
				return nil, err
			}
			found = append(found, StateFolder{Path: path, Bytes: diskUsage(path), InUse: s == nil})
			if s != nil {
				s.close()
			}
		}
	}
	return found, nil
}

// lockUnused locks a state folder, or returns nil if a samforge or a buildkitd uses it.
func lockUnused(dir string) (*state, error) {
	lock, err := tryLock(filepath.Join(dir, "samforge.lock"))
	if lock == nil {
		return nil, err
	}
	inner, err := tryLock(filepath.Join(dir, "buildkitd.lock"))
	if inner == nil {
		_ = lock.Close()
		return nil, err
	}
	_ = inner.Close()
	return &state{dir, lock}, nil
}

// diskUsage returns how many bytes the files below dir take on the disk, as far as they can be read.
func diskUsage(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // of another id of a rootless builder
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return bytes
}

// RemoveState removes one of [Options.StateFolders], with what a killed samforge left elsewhere for it.
// It is an error if the folder is in use.
func (o Options) RemoveState(ctx context.Context, dir string) error {
	s, err := lockUnused(dir)
	if err != nil {
		return err
	}
	if s == nil {
		return fmt.Errorf("%s is in use", dir)
	}
	defer s.close()
	s.sweep(filepath.Join(dir, "samforge.run"))
	// Under another name no samforge takes it while it is removed.
	away, err := os.MkdirTemp(filepath.Dir(dir), removedPrefix)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(away, filepath.Base(dir))); err != nil {
		return errors.Join(err, os.Remove(away))
	}
	if err = os.RemoveAll(away); errors.Is(err, fs.ErrPermission) {
		err = o.removeOfOtherIDs(ctx, away)
	}
	return err
}

// removeOfOtherIDs removes a folder in which a rootless builder left files of the user's subordinate ids.
func (o Options) removeOfOtherIDs(ctx context.Context, dir string) error {
	rootlesskit := programs.Find("rootlesskit", programs.Folders(o.env("PATH")))
	if rootlesskit == "" {
		return fmt.Errorf("%s has files of your subordinate ids, and rootlesskit, which could remove them, is neither beside samforge nor on PATH: run rootlesskit rm -rf %s, or remove it as root", dir, dir)
	}
	state, err := os.MkdirTemp(o.tempDir(), runPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	cmd := exec.CommandContext(ctx, rootlesskit, "--state-dir", filepath.Join(state, "rootlesskit"), "rm", "-rf", "--", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("remove %s with rootlesskit: %w: %s", dir, err, out)
	}
	return nil
}
