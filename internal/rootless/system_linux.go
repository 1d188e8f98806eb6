package rootless

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// This is the System that the process runs on.
func This() System {
	return System{
		UID:      os.Geteuid(),
		ReadFile: os.ReadFile,
		Gains:    gains,
	}
}

func gains(program string, capability int) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	if info.Mode()&os.ModeSetuid != 0 && owner != nil && owner.Uid == 0 {
		return nil
	}
	// A vfs_cap_data of linux/capability.h: after the revision, the low words come first.
	value := make([]byte, 64)
	n, err := unix.Getxattr(program, "security.capability", value)
	if err == nil && n >= 8 && Capabilities(binary.LittleEndian.Uint32(value[4:])).Has(capability) {
		return nil
	}
	return fmt.Errorf("%s is neither setuid root nor has the file capability to map ids", program)
}
