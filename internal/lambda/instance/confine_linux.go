package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// prSetNoNewPrivs is PR_SET_NO_NEW_PRIVS: prctl(2).
const prSetNoNewPrivs = 38

// maxFiles is how many files a function can have open on Lambda:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxFiles = 1024

// confine takes from this process, and so from the function, what a build step has and Lambda does not
// give.
func confine() error {
	// A program of the image that has the setuid bit must not make the function root. An emulator of
	// another architecture may not know this.
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0); errno != 0 && errno != syscall.EINVAL {
		return fmt.Errorf("forbid new privileges: %w", errno)
	}
	// Lambda has no shared memory, and /tmp is the only folder that a function can write to.
	for _, folder := range []string{"/dev/shm", "/dev/mqueue"} {
		err := os.Chmod(folder, 0o755)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("close %s to the function: %w", folder, err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: maxFiles, Max: maxFiles}); err != nil {
		return fmt.Errorf("limit the open files: %w", err)
	}
	return nil
}
