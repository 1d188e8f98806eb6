package builder

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkPeer refuses a Unix socket unless root or the user listens on it: a builder sees our
// credentials. The owner of "/" counts as root, as in a user namespace without the machine's root.
func checkPeer(conn net.Conn) error {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("ask who listens on %s: %w", conn.RemoteAddr(), failed)
	}
	if trusted(peer.Uid) {
		return nil
	}
	return fmt.Errorf("the user with the id %d listens there, who is neither root nor you, and would see your credentials; to build on it all the same, name it with --builder", peer.Uid)
}

// trusted reports whether a user is root, ourselves, or the owner of "/".
func trusted(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	top, err := os.Stat("/")
	return err == nil && top.Sys().(*syscall.Stat_t).Uid == uid
}
