//go:build !linux

package instance

// Main does nothing here: instances run on Linux.
func Main() {}
