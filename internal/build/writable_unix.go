//go:build unix

package build

import (
	"os"

	"golang.org/x/sys/unix"
)

// access returns an error if this user may not write the file at path, or make files in the folder.
func access(path string) error {
	mode := uint32(unix.W_OK)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	return unix.Access(path, mode)
}
