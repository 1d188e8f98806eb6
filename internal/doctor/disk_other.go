//go:build !linux

package doctor

import "errors"

// diskOf is never used here: a private buildkitd needs Linux.
func diskOf(string) (Disk, error) { return Disk{}, errors.New("only Linux has a private buildkitd") }
