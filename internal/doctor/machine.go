package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/rootless"
)

// This is the machine that the process runs on.
func This() Machine {
	return Machine{
		System:       rootless.This(),
		Getenv:       os.Getenv,
		TryNamespace: builder.TryNamespace,
		TryOverlay:   func(folder string) error { return builder.TryOverlay(existing(folder)) },
		HasFuse:      hasFuse,
		Disk:         func(folder string) (Disk, error) { return diskOf(existing(folder)) },
		Version:      version,
		Now:          time.Now,
	}
}

func hasFuse() bool {
	_, missing := exec.LookPath("fuse-overlayfs")
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err == nil {
		_ = device.Close()
	}
	return missing == nil && err == nil
}

// existing returns the folder, or the nearest one above it that exists.
func existing(folder string) string {
	for {
		if _, err := os.Stat(folder); err == nil || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}

// version returns the first line that a program prints for --version.
func version(ctx context.Context, program string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
