// Package userfile reads files that a user names: never more than a limit, and never for ever.
//
// A repository may contain links to devices, and a name may be that of a pipe.
package userfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Read returns the content of a regular file, or of the file that a link leads to. More than limit
// bytes are an error.
func Read(name string, limit int64) ([]byte, error) {
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, name, limit)
}

// ReadAny returns the content of a file of any sort, such as the pipe that a shell makes of
// <(command). It ends with the context.
func ReadAny(ctx context.Context, name string, limit int64) ([]byte, error) {
	return withContext(ctx, func() ([]byte, error) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return readAll(file, name, limit)
	})
}

// ReadStream returns the rest of a stream; name is for errors. It ends with the context.
func ReadStream(ctx context.Context, stream io.Reader, name string, limit int64) ([]byte, error) {
	return withContext(ctx, func() ([]byte, error) { return readAll(stream, name, limit) })
}

// open opens a regular file. It checks the sort of the file first: opening a pipe would wait for
// its other end, and opening a device may do something.
func open(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = regular(name, info)
	}
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil {
		err = regular(name, info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// CheckRegular returns an error if there is something of the name that is no regular file: reading a
// pipe could wait for ever, and a device may have no end. It returns nil if there is nothing.
func CheckRegular(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return regular(name, info)
}

func regular(name string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%s is a folder, not a file", name)
	case mode&fs.ModeNamedPipe != 0:
		return fmt.Errorf("%s is a pipe, not a file", name)
	case mode&fs.ModeDevice != 0:
		return fmt.Errorf("%s is or leads to a device, not a file", name)
	}
	return fmt.Errorf("%s is not a regular file", name)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, the most that can be read", name, limit)
	}
	return data, nil
}

// withContext returns the result of read, or the cause of the context's end. A read that never ends
// is left behind.
func withContext(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
