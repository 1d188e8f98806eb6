package builder

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

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

// tryMounts mounts a file system in this process's mount namespace and returns the error number, or
// 0.
func tryMounts() int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	if err == nil {
		err = unix.Mount("samforge", "/", "tmpfs", 0, "")
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return int(number)
	}
	return 0
}
