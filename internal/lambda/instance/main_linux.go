package instance

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Main does not return if the program was started as an instance, with the socket on which samforge is:
// samforge sends a program of its own to the builder or, without one, its own executable. A program that
// uses this package calls it first in main.
func Main() {
	if len(os.Args) != 2 || os.Args[0] != Program {
		return
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "samforge: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER: prctl(2).
const prSetChildSubreaper = 36

// serve runs an instance for who listens on a socket.
func serve(socket string) error {
	// Processes whose parent has ended are this one's then, and not those of the builder. An emulator of
	// another architecture does not know it.
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 && errno != syscall.EINVAL {
		return fmt.Errorf("become the parent of all processes: %w", errno)
	}
	if err := confine(); err != nil {
		return err
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	return Run(context.Background(), conn)
}
