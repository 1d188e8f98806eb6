//go:build linux

// Command samforge-instance runs a function in its container: samforge invoke sends it to the builder.
package main

import (
	"fmt"
	"os"

	"github.com/samforge/samforge/internal/lambda/instance"
)

func main() {
	instance.Main()
	fmt.Fprintln(os.Stderr, "samforge-instance: only samforge starts this program, as "+instance.Program+" SOCKET")
	os.Exit(2)
}
