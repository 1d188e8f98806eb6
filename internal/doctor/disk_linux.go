package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// diskOf describes the file system that an existing folder is on.
func diskOf(folder string) (Disk, error) {
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return Disk{}, fmt.Errorf("write to %s: %w", folder, err)
	}
	var found unix.Statfs_t
	if err := unix.Statfs(folder, &found); err != nil {
		return Disk{}, fmt.Errorf("read the free space of %s: %w", folder, err)
	}
	return Disk{Free: found.Bavail * uint64(found.Bsize), Inodes: found.Ffree}, nil
}
