// The requirements of a rootless buildkitd: an unprivileged user with subordinate ids, and programs
// that this user can read.

package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// rootlessUser is the user of a rootless buildkitd if the caller is root.
const rootlessUser = "samforge-test"

// rootlessCommand prepares the directories and runs buildkitd under rootlesskit: host network (the
// registry is on loopback), writable copies of /etc and /run, and a PID namespace that ends
// everything in it when it ends.
func (b *Buildkitd) rootlessCommand(options BuildkitdOptions) (*exec.Cmd, error) {
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			return nil, fmt.Errorf("a rootless buildkitd needs %s: apt-get install uidmap", helper)
		}
	}
	account, err := rootlessAccount()
	if err != nil {
		return nil, err
	}
	uid, gid, err := ids(account)
	if err != nil {
		return nil, err
	}
	for _, dir := range append([]string{b.dir.path, b.dir.join("bin"), b.Root}, b.workDirs()...) {
		if err := ownedDir(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	// The repository may be in a folder that only root can read, so the user gets copies.
	for _, name := range []string{"rootlesskit", "buildkitd", "runc"} {
		program, err := Tool(name)
		if err != nil {
			return nil, err
		}
		if err := copyProgram(program, b.dir.join("bin", name)); err != nil {
			return nil, err
		}
	}

	args := []string{"--net=host", "--copy-up=/etc", "--copy-up=/run", "--pidns"}
	setup := options.Setup
	if options.Emulator != "" {
		program := b.dir.join("bin", "qemu-aarch64")
		if err := copyProgram(options.Emulator, program); err != nil {
			return nil, err
		}
		setup += registerEmulator(program)
	}
	if setup != "" {
		args = append(args, "sh", "-ec", setup+"\nexec \"$@\"", "sh")
	}
	args = append(args, b.dir.join("bin", "buildkitd"), "--oci-worker-snapshotter", "overlayfs", "--oci-worker-no-process-sandbox")
	cmd := exec.Command(b.dir.join("bin", "rootlesskit"), append(args, b.flags(options, b.dir.join("bin", "runc"))...)...)
	cmd.Dir = b.dir.path
	cmd.Env = append(b.environment(b.dir.join("bin")+":"+os.Getenv("PATH")), "USER="+account.Username)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(uid, gid)}
	}
	return cmd, nil
}

// RootlessCredential returns the user and the group of a rootless buildkitd in a test, or nil if
// the test itself is not root.
func RootlessCredential() (*syscall.Credential, error) {
	account, err := rootlessAccount()
	if err != nil || os.Geteuid() != 0 {
		return nil, err
	}
	uid, gid, err := ids(account)
	return credential(uid, gid), err
}

func credential(uid, gid int) *syscall.Credential {
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}}
}

// rootlessAccount returns the current user. If that is root, it returns an unprivileged one, which
// it creates if necessary. The user has a range of 65536 subordinate ids.
func rootlessAccount() (*user.User, error) {
	if os.Geteuid() != 0 {
		account, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("finding the current user: %w", err)
		}
		return account, nil
	}
	// Several test programs may run this at the same time.
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), rootlessUser+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the user %s: %w", rootlessUser, err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("making the user %s: %w", rootlessUser, err)
	}
	defer os.Remove(lock.Name())

	if _, err := user.Lookup(rootlessUser); errors.As(err, new(user.UnknownUserError)) {
		if out, err := exec.Command("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", rootlessUser).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("making the user %s: %w: %s", rootlessUser, err, out)
		}
	}
	account, err := user.Lookup(rootlessUser)
	if err != nil {
		return nil, fmt.Errorf("finding the user %s: %w", rootlessUser, err)
	}
	for _, path := range []string{"/etc/subuid", "/etc/subgid"} {
		if err := addSubordinateIDs(path, account); err != nil {
			return nil, err
		}
	}
	return account, nil
}

// addSubordinateIDs gives the account a range after all others unless it has one (subuid(5):
// name:first:count).
func addSubordinateIDs(path string, account *user.User) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading subordinate ids: %w", err)
	}
	first := 100000
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 {
			continue
		}
		if fields[0] == account.Username || fields[0] == account.Uid {
			return nil
		}
		start, _ := strconv.Atoi(fields[1])
		count, _ := strconv.Atoi(fields[2])
		first = max(first, start+count)
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	data = fmt.Appendf(data, "%s:%d:65536\n", account.Username, first)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("adding subordinate ids of %s: %w", account.Username, err)
	}
	return nil
}

func ids(account *user.User) (uid, gid int, err error) {
	uid, err = strconv.Atoi(account.Uid)
	if err == nil {
		gid, err = strconv.Atoi(account.Gid)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("reading the ids of the user %s: %w", account.Username, err)
	}
	return uid, gid, nil
}

func ownedDir(path string, uid, gid int) error {
	err := os.MkdirAll(path, 0o755)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(path, uid, gid)
	}
	if err != nil {
		return fmt.Errorf("making a directory for the rootless buildkitd: %w", err)
	}
	return nil
}

// copyProgram makes a program readable for another user, unless that was done. A hard link does
// where it is possible: a copy for each buildkitd would be most of what the tests write to the disk.
func copyProgram(from, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copying %s for the rootless buildkitd: %w", filepath.Base(from), err)
		}
	}()
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
