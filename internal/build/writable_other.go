//go:build !unix

package build

// access leaves the answer to the write itself.
func access(string) error { return nil }
