//go:build linux

// Command samforge-instance runs a function in its container: samforge invoke sends it to the builder.
// Its argument is the socket on which samforge is.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/samforge/samforge/internal/lambda/instance"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "samforge-instance: "+err.Error())
		os.Exit(1)
	}
}

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER: prctl(2).
const prSetChildSubreaper = 36

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("expected a socket, found %q", os.Args[1:])
	}
	// Processes whose parent has ended are this one's then, and not those of the builder. An emulator of
	// another architecture does not know it.
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 && errno != syscall.EINVAL {
		return fmt.Errorf("become the parent of all processes: %w", errno)
	}
	conn, err := net.Dial("unix", os.Args[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	return instance.Run(context.Background(), conn)
}
