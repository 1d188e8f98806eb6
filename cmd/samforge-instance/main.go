//go:build linux

// Command samforge-instance runs a function in its container: samforge invoke sends it to the builder.
// Its argument is the socket on which samforge is.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/samforge/samforge/internal/lambda/instance"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "samforge-instance: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("expected a socket, found %q", os.Args[1:])
	}
	conn, err := net.Dial("unix", os.Args[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	return instance.Run(context.Background(), conn)
}
