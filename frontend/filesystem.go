package frontend

import (
	"context"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// fileSystem is the file system of a builder's reference, read piece by piece. Symbolic links are
// followed within it.
type fileSystem struct {
	ctx context.Context
	ref client.Reference
}

var _ fs.ReadDirFS = fileSystem{}

// Open opens a regular file.
func (s fileSystem) Open(name string) (fs.File, error) {
	stat, err := s.ref.StatFile(s.ctx, client.StatRequest{Path: "/" + name})
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &refFile{fileSystem: s, name: name, stat: stat}, nil
}

// readDir reads a directory, sorted by name. It does not follow links in it.
func (s fileSystem) readDir(name string) ([]*fstypes.Stat, error) {
	stats, err := s.ref.ReadDir(s.ctx, client.ReadDirRequest{Path: "/" + name})
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	return stats, nil
}

// ReadDir implements [fs.ReadDirFS].
func (s fileSystem) ReadDir(name string) ([]fs.DirEntry, error) {
	stats, err := s.readDir(name)
	entries := make([]fs.DirEntry, len(stats))
	for i, stat := range stats {
		entries[i] = &fsutil.DirEntryInfo{Stat: stat}
	}
	return entries, err
}

// refFile is an open file of a fileSystem.
type refFile struct {
	fileSystem
	name   string
	stat   *fstypes.Stat
	offset int64
}

var _ io.ReaderAt = (*refFile)(nil)

func (f *refFile) Stat() (fs.FileInfo, error) { return &fsutil.StatInfo{Stat: f.stat}, nil }
func (f *refFile) Close() error               { return nil }

func (f *refFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// maxRead is the most to read at once. A message of the gateway has at most 16 MiB.
const maxRead = 4 << 20

// ReadAt implements [io.ReaderAt].
func (f *refFile) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		data, err := f.ref.ReadFile(f.ctx, client.ReadRequest{
			Filename: "/" + f.name,
			Range:    &client.FileRange{Offset: int(offset) + n, Length: min(len(p)-n, maxRead)},
		})
		if err != nil {
			return n, pathError("read", f.name, err)
		}
		if len(data) == 0 {
			return n, io.EOF
		}
		n += copy(p[n:], data)
	}
	return n, nil
}

// readHead reads the beginning of a file, enough to recognize its type.
func (s fileSystem) readHead(name string) ([]byte, error) {
	const length = 512
	head, err := s.ref.ReadFile(s.ctx, client.ReadRequest{Filename: "/" + name, Range: &client.FileRange{Length: length}})
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return head, nil
}

// inRoot returns an absolute path in the form of package fs.
func inRoot(name string) string { return strings.TrimPrefix(path.Clean(name), "/") }

// pathError returns err as the error that package fs defines for it. The gateway passes on only the
// text.
func pathError(op, name string, err error) error {
	if strings.Contains(err.Error(), "no such file or directory") {
		err = fs.ErrNotExist
	}
	return &fs.PathError{Op: op, Path: path.Join("/", name), Err: err}
}
