//go:build !linux

package builder

import (
	"context"
	"fmt"
	"runtime"
)

// daemon is never made here: buildkitd builds Linux images on Linux only.
type daemon struct{}

// Keeper is for Linux only.
func Keeper() {}

func (*daemon) stop()           {}
func (*daemon) logTail() string { return "" }

func (*daemon) stateDir() string { return "" }

func (*daemon) ended() <-chan struct{} { return nil }

func startPrivate(context.Context, Options) (*Builder, error) {
	return nil, fmt.Errorf("a private buildkitd needs Linux; on %s use Docker, or a buildkitd elsewhere", runtime.GOOS)
}
