// Layers that take long to make. The first process on a machine makes one, and it is kept.

package testenv

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// keptLayer returns the layer that archive writes as a tar file, from the cache if it was made
// before. kind and parts are its name in the cache. If several processes need it at the same time,
// one makes it and the others wait.
func keptLayer(ctx context.Context, kind string, parts []string, archive func(io.Writer) error) (Layer, error) {
	cached, err := cachePath(kind, parts...)
	if err != nil {
		return Layer{}, err
	}
	kept := &layer{path: cached}
	if kept.load() {
		return Layer{kept: kept}, nil
	}
	unlock, err := lockFile(ctx, cached+".lock")
	if err != nil {
		return Layer{}, err
	}
	defer unlock()
	if kept.load() {
		return Layer{kept: kept}, nil
	}
	err = writeCached(cached, func(out *os.File) (err error) {
		kept.meta, err = writeLayer(out, gzip.DefaultCompression, archive)
		return err
	})
	if err == nil {
		err = writeCached(cached+".json", func(out *os.File) error { return json.NewEncoder(out).Encode(kept.meta) })
	}
	if err != nil {
		return Layer{}, err
	}
	return Layer{kept: kept}, nil
}

// load loads the cache's information about the layer, and reports whether it is complete.
func (l *layer) load() bool {
	data, err := os.ReadFile(l.path + ".json")
	if err != nil || json.Unmarshal(data, &l.meta) != nil {
		return false
	}
	info, err := os.Stat(l.path)
	return err == nil && info.Size() == l.meta.Size
}

// lockFile waits for the lock on path, which the kernel releases if the process dies.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { file.Close() }, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("waiting for another process to release %s: %w", path, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
