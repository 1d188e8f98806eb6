package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links one path may go through, the same as in the kernel.
const maxLinks = 40

// ownFolder creates the missing parts of dir and returns its path without links. It refuses a path
// on which another user could replace our folder by a folder or a link of theirs: a privileged
// buildkitd writes there.
func ownFolder(dir string) (string, error) { return walkOwn(dir, lstatOrMake) }

// errMissing ends the walk of mayOwn.
var errMissing = errors.New("missing")

// mayOwn returns the error that ownFolder would return, as far as that can be said without creating
// anything.
func mayOwn(dir string) error {
	_, err := walkOwn(dir, func(next string) (os.FileInfo, error) {
		info, err := os.Lstat(next)
		if !errors.Is(err, os.ErrNotExist) {
			return info, err
		}
		if err := unix.Access(filepath.Dir(next), unix.W_OK|unix.X_OK); err != nil {
			return nil, &os.PathError{Op: "mkdir", Path: next, Err: err}
		}
		return nil, errMissing
	})
	if errors.Is(err, errMissing) {
		return nil
	}
	return err
}

// walkOwn is ownFolder, with a function that describes each part of the path.
func walkOwn(dir string, describe func(string) (os.FileInfo, error)) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	at, rest, links := "/", pathNames(dir), 0
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := describe(next)
		if err != nil {
			return "", err
		}
		if err := checkOwner(next, info); err != nil {
			return "", err
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if err := checkWriters(next, info); err != nil {
				return "", err
			}
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &os.PathError{Op: "open", Path: dir, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = slices.Concat(pathNames(target), rest)
	}
	return at, nil
}

// pathNames splits a path. It keeps "..", because the name before it may be a link.
func pathNames(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

func lstatOrMake(dir string) (os.FileInfo, error) {
	info, err := os.Lstat(dir)
	if !errors.Is(err, os.ErrNotExist) {
		return info, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.Lstat(dir)
}

// checkOwner refuses anything that does not belong to us, to root, or to the owner of "/": in a
// user namespace without the machine's root, root's files look like that.
func checkOwner(path string, info os.FileInfo) error {
	uid := info.Sys().(*syscall.Stat_t).Uid
	if trusted(uid) {
		return nil
	}
	return fmt.Errorf("%s belongs to the user with the id %d, who could change what is in it", path, uid)
}

// checkWriters refuses a folder in which others may rename our files, and anything that is no
// folder. A mounted volume may be open to all, as the volumes of a Kubernetes pod are: it is up to
// the pod who runs in it.
func checkWriters(path string, info os.FileInfo) error {
	if !info.IsDir() {
		return &os.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	gid := int(info.Sys().(*syscall.Stat_t).Gid)
	byOthers := info.Mode()&0o002 != 0 || info.Mode()&0o020 != 0 && gid != 0 && gid != os.Getegid()
	if byOthers && info.Mode()&os.ModeSticky == 0 && !isMountPoint(path, info) {
		return fmt.Errorf("other users may write to %s (its mode is %04o)", path, info.Mode().Perm())
	}
	return nil
}

// isMountPoint reports whether a folder is on a different device than its parent.
func isMountPoint(dir string, info os.FileInfo) bool {
	above, err := os.Lstat(filepath.Dir(dir))
	return err == nil && above.Sys().(*syscall.Stat_t).Dev != info.Sys().(*syscall.Stat_t).Dev
}

// checkPrivate refuses a folder that is not ours, or that others can write to.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user with the id %d", dir, uid)
	}
	if info.Mode()&0o022 != 0 {
		return fmt.Errorf("other users may write to %s (its mode is %04o)", dir, info.Mode().Perm())
	}
	return nil
}

// noFollow are the flags for opening our own files: never through a link, and without waiting for
// the other end of a FIFO.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// createOwn creates or empties the file and returns it, if it is a regular file of ours with no
// other name.
func createOwn(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkOwnFile(file, info)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkOwnFile(file string, info os.FileInfo) error {
	stat := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", file)
	case int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to the user with the id %d", file, stat.Uid)
	case stat.Nlink != 1:
		return fmt.Errorf("%s has another name elsewhere (a hard link)", file)
	}
	return nil
}
