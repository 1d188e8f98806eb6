package builder

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/samforge/samforge/internal/userfile"
)

// state is the folder in which a private buildkitd keeps its cache, locked for us.
type state struct {
	dir  string
	lock *flock.Flock
}

// lockedState returns a state folder, with the given name or one like it, that no other samforge
// uses. It is in the first of cacheDirs that is the user's alone.
func (o Options) lockedState(name string) (*state, error) {
	homes := o.cacheDirs()
	var refused []string
	for _, home := range homes {
		dir, err := ownFolder(filepath.Join(home, "samforge"))
		if err != nil {
			if !slices.Contains(refused, err.Error()) {
				refused = append(refused, err.Error())
			}
			continue
		}
		if len(refused) > 0 {
			o.log("the state of the private buildkitd is in %s, not below %s: %s", dir, homes[0], refused[0])
		}
		return lockState(filepath.Join(dir, name))
	}
	return nil, fmt.Errorf("no place for its state: %s; set XDG_CACHE_HOME to a folder that only you can write to, such as a volume of the container (`samforge doctor` has the lines)", strings.Join(refused, "; "))
}

// cacheDirs returns the cache folders: XDG_CACHE_HOME, or below HOME, below the user's home in
// /etc/passwd, and one of the user in TMPDIR. The last is for a container with a read-only root, or
// with a user that its image does not know.
func (o Options) cacheDirs() []string {
	if dir := o.env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return []string{dir}
	}
	var dirs []string
	for _, home := range []string{o.env("HOME"), o.systemHome()} {
		if filepath.IsAbs(home) {
			dirs = append(dirs, filepath.Join(home, ".cache"))
		}
	}
	return append(dirs, filepath.Join(o.tempDir(), fmt.Sprintf("samforge-state-%d", os.Geteuid())))
}

// tempDir returns the folder for temporary files.
func (o Options) tempDir() string {
	if dir := o.env("TMPDIR"); filepath.IsAbs(dir) {
		return dir
	}
	return "/tmp"
}

// systemHome returns the home in /etc/passwd, or "" for a user without an entry.
func (o Options) systemHome() string {
	if o.passwdHome != nil {
		return *o.passwdHome
	}
	account, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		return ""
	}
	return account.HomeDir
}

// lockState locks and returns the first of base, base-2, base-3 … that no other samforge uses. A
// buildkitd that a killed samforge left behind for a moment also counts as a user.
func lockState(base string) (*state, error) {
	for i := 1; i <= 100; i++ {
		dir := base
		if i > 1 {
			dir = fmt.Sprintf("%s-%d", base, i)
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make the state folder: %w", err)
		}
		if err := checkPrivate(dir); err != nil {
			return nil, fmt.Errorf("the state folder cannot be trusted: %w; remove it, or set XDG_CACHE_HOME to another folder", err)
		}
		lock, err := tryLock(filepath.Join(dir, "samforge.lock"))
		if err != nil {
			return nil, err
		}
		if lock == nil {
			continue
		}
		inner, err := tryLock(filepath.Join(dir, "buildkitd.lock"))
		if inner != nil {
			_ = inner.Close()
			return &state{dir, lock}, nil
		}
		_ = lock.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("all state folders %s, …-2 to …-100 are in use", base)
}

// tryLock returns the locked file, or nil if another process holds the lock. Closing the file
// unlocks it.
func tryLock(file string) (*flock.Flock, error) {
	lock := flock.New(file, flock.SetFlag(os.O_RDWR|os.O_CREATE|noFollow))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	if !locked {
		return nil, nil
	}
	info, err := lock.Stat()
	if err == nil {
		err = checkOwnFile(file, info)
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	return lock, nil
}

// log returns the path of buildkitd's log.
func (s *state) log() string { return filepath.Join(s.dir, "samforge.log") }

// close releases the state for others.
func (s *state) close() { _ = s.lock.Close() }

// runPrefix begins the names of the folders for sockets.
const runPrefix = "samforge-"

// maxRunDir keeps "/.buildkit-ssh-sock1234567890/ssh_auth_sock" below it within the 107 bytes of a Unix
// socket's path.
const maxRunDir = 64

// runDir creates the folder for the sockets in TMPDIR. If that path is too long or others can write
// to it, runDir uses /tmp or a folder beside the state. It notes the name in the state, and removes
// what a killed samforge left.
func (s *state) runDir() (string, error) {
	note := filepath.Join(s.dir, "samforge.run")
	s.sweep(note)
	var refused []error
	for _, base := range []string{os.TempDir(), "/tmp", filepath.Dir(s.dir)} {
		base, err := ownFolder(base)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		dir, err := os.MkdirTemp(base, runPrefix)
		if err == nil && len(dir) > maxRunDir {
			_ = os.Remove(dir)
			err = fmt.Errorf("%s is too long a path for a socket", base)
		}
		if err != nil {
			refused = append(refused, err)
			continue
		}
		return dir, s.writeNote(note, dir)
	}
	return "", fmt.Errorf("make a folder for the sockets: %w", errors.Join(refused...))
}

func (s *state) writeNote(note, dir string) error {
	f, err := createOwn(note)
	if err != nil {
		return fmt.Errorf("note the folder for the sockets: %w", err)
	}
	_, err = f.WriteString(dir)
	return errors.Join(err, f.Close())
}

// sweep removes the socket folder that the state's last user noted, if that samforge was killed
// before it could remove it.
func (s *state) sweep(note string) {
	dir, err := userfile.Read(note, 4096)
	if err != nil || !strings.HasPrefix(filepath.Base(string(dir)), runPrefix) || checkPrivate(string(dir)) != nil {
		return
	}
	_ = os.RemoveAll(string(dir))
}
