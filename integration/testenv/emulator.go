// A builder that emulates arm64.

package testenv

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
)

// Emulator returns the path of QEMU for programs for arm64, a static program of Debian.
func Emulator(ctx context.Context) (string, error) {
	program, err := cachePath("qemu", "1", "aarch64")
	if err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, program+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(program) {
		return program, nil
	}
	if err := writeCached(program, func(out *os.File) error { return extractEmulator(ctx, out) }); err != nil {
		return "", fmt.Errorf("getting QEMU: %w", err)
	}
	return program, os.Chmod(program, 0o755)
}

func extractEmulator(ctx context.Context, out io.Writer) error {
	dir, err := newWorkDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	debs, err := debianPackages(ctx, dir, "bookworm", "amd64", "qemu-user-static")
	if err != nil {
		return err
	}
	found := false
	for _, deb := range debs {
		err := eachFile(ctx, deb, func(header *tar.Header, content io.Reader) error {
			if path.Base(header.Name) != "qemu-aarch64-static" || header.Typeflag != tar.TypeReg {
				return nil
			}
			found = true
			_, err := io.Copy(out, content)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("the package qemu-user-static holds no qemu-aarch64-static")
	}
	return nil
}

// registerEmulator returns the shell commands that register an emulator for arm64. The kernel (6.7 or
// later) keeps the registration in their user namespace:
// https://docs.kernel.org/admin-guide/binfmt-misc.html
func registerEmulator(program string) string {
	const magic = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`
	const mask = `\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
	return fmt.Sprintf(`mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf %%s ':qemu-aarch64:M::%s:%s:%s:F' >/proc/sys/fs/binfmt_misc/register`, magic, mask, program)
}
