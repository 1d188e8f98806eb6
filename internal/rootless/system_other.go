//go:build !linux

package rootless

import (
	"errors"
	"os"
)

// This is the System that the process runs on. Only Linux has user namespaces.
func This() System {
	none := errors.New("only Linux has user namespaces")
	return System{
		UID:      os.Geteuid(),
		ReadFile: os.ReadFile,
		Gains:    func(string, int) error { return none },
	}
}
