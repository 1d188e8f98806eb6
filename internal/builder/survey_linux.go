package builder

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"
)

func surveyPrivate(opt Options) *PrivateSurvey {
	t, err := opt.findTools(os.Geteuid() != 0)
	if err != nil {
		return &PrivateSurvey{Err: err}
	}
	return &PrivateSurvey{Buildkitd: t.buildkitd, Runc: t.runc, Root: !t.rootless, OneID: t.oneID, CacheDir: opt.stateFolder()}
}

// stateFolder returns the folder that the state would be in, or the first one that is refused if all
// are.
func (o Options) stateFolder() string {
	homes := o.cacheDirs()
	for _, home := range homes {
		if dir := filepath.Join(home, "samforge"); mayOwn(dir) == nil {
			return dir
		}
	}
	return filepath.Join(homes[0], "samforge")
}

// triesNamespaceName is argv[0] of the process that TryNamespace starts.
const triesNamespaceName = keeperName + "-try"

// ErrNoMounts says that a user namespace may not mount.
var ErrNoMounts = errors.New("a user namespace may not mount")

// TryNamespace starts a process in a user namespace with one id. It returns the error of the
// operating system if that is forbidden, and ErrNoMounts if the process cannot mount.
func TryNamespace() error {
	if !keeps {
		return errors.New("this program's main does not call builder.Keeper")
	}
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{triesNamespaceName}, SysProcAttr: &syscall.SysProcAttr{}}
	inOneIDNamespace(cmd.SysProcAttr)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%w (%w)", ErrNoMounts, syscall.Errno(exit.ExitCode()))
	}
	return err
}

// triesOverlayName is argv[0] of the process that TryOverlay starts.
const triesOverlayName = keeperName + "-try-overlay"

// TryOverlay mounts an overlay whose folders are new ones in a folder, as buildkitd does for its
// snapshots: in a user namespace, unless this is root. It returns the error of the operating system
// if that fails, and leaves nothing behind.
func TryOverlay(folder string) error {
	if !keeps {
		return errors.New("this program's main does not call builder.Keeper")
	}
	dir, err := os.MkdirTemp(folder, "samforge-overlay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{triesOverlayName, dir}, SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}}
	if os.Geteuid() != 0 {
		inOneIDNamespace(cmd.SysProcAttr)
	}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return syscall.Errno(exit.ExitCode())
	}
	return err
}

// tryOverlay mounts an overlay of the folders in dir and returns the error number, or 0.
func tryOverlay(dir string) int {
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
	if userns.RunningInUserNS() {
		options += ",userxattr" // see the kernel's overlayfs.rst
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	if err == nil {
		err = unix.Mount("overlay", dir+"/merged", "overlay", 0, options)
	}
	return number(err)
}

// tryMounts mounts a file system in this process's mount namespace and returns the error number, or
// 0.
func tryMounts() int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	if err == nil {
		err = unix.Mount("samforge", "/", "tmpfs", 0, "")
	}
	return number(err)
}

// number returns the error number of an error of the operating system, or 0.
func number(err error) int {
	var number syscall.Errno
	if errors.As(err, &number) {
		return int(number)
	}
	return 0
}
