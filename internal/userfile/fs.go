package userfile

import (
	"fmt"
	"io"
	"io/fs"
)

// ReadFS returns the content of a regular file of a file system, such as an image's. More than
// limit bytes are an error.
func ReadFS(files fs.FS, name string, limit int64) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch size := info.Size(); {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("/%s is not a regular file but %s", name, KindOf(info.Mode()))
	case size > limit:
		return nil, fmt.Errorf("/%s has %d bytes, and at most %d are read", name, size, limit)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// KindOf names a kind of file that is not a regular one.
func KindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	default:
		return "something else"
	}
}
