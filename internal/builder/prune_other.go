//go:build !linux

package builder

import "context"

// StateFolders returns none: only Linux has private builders.
func (o Options) StateFolders() ([]StateFolder, error) { return nil, nil }

// RemoveState does nothing.
func (o Options) RemoveState(context.Context, string) error { return nil }
