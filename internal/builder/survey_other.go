//go:build !linux

package builder

import (
	"context"
	"errors"
)

// ErrNoMounts says that a user namespace may not mount.
var ErrNoMounts = errors.New("a user namespace may not mount")

func surveyPrivate(opt Options) *PrivateSurvey {
	_, err := startPrivate(context.Background(), opt)
	return &PrivateSurvey{Err: err}
}

// TryNamespace does nothing here: only Linux has user namespaces.
func TryNamespace() error { return nil }

// TryOverlay does nothing here: only Linux has overlayfs.
func TryOverlay(string) error { return nil }
