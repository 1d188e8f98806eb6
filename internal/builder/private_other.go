//go:build !linux

package builder

import (
	"context"
	"fmt"
	"runtime"
)

// daemon is never used here: buildkitd builds Linux images only on Linux.
type daemon struct{}

// Keeper does nothing here: only Linux has keepers.
func Keeper() {}

func (*daemon) stop()           {}
func (*daemon) logTail() string { return "" }

func (*daemon) stateDir() string { return "" }

func (*daemon) ended() <-chan struct{} { return nil }

func startPrivate(context.Context, Options) (*Builder, error) {
	return nil, fmt.Errorf("a private buildkitd needs Linux; on %s use Docker, or a buildkitd elsewhere", runtime.GOOS)
}
