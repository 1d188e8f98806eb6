package inputs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/internal/userfile"
)

// maxIgnoreFile is the maximum size of an ignore file in bytes, as BuildKit has it.
const maxIgnoreFile = 2 << 20

func readIgnoreFile(name string) ([]string, error) {
	data, err := userfile.Read(name, maxIgnoreFile)
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return patterns, nil
}

// fileSums has the checksums of files, and what is in folders. Several builds read the same ones.
type fileSums struct {
	sums    sync.Map // func() (string, error) by path and status
	folders sync.Map // func() (*folder, error) by path and patterns
	// before has the checksums of files that were read before. It may be nil.
	before *fileSums
}

// folder is what is read of a folder.
type folder struct {
	parts []Part // of its files, with paths in the folder
	files int
	size  int64 // in bytes
}

// detail is how much of the files in a folder is read.
type detail int

const (
	sizes detail = iota // no parts
	plain               // of the mode only whether a file is executable: the frontend gives plain modes
	exact
)

// read returns what is read of a folder: what is below paths, all if it is nil.
func (s *fileSums) read(ctx context.Context, name string, ignored, paths []string, how detail) (*folder, error) {
	key := fmt.Sprintf("%d %q %q %q", how, name, ignored, paths)
	once, _ := s.folders.LoadOrStore(key, sync.OnceValues(func() (*folder, error) {
		read := &folder{}
		err := walk(ctx, name, &fsutil.FilterOpt{ExcludePatterns: ignored, FollowPaths: paths}, func(path string, stat *types.Stat) error {
			mode := os.FileMode(stat.Mode)
			if mode.IsRegular() {
				read.files++
				read.size += stat.Size
			}
			if how == sizes || mode.IsDir() && onTheWay(filepath.ToSlash(path), paths) {
				return nil
			}
			value, err := s.value(ctx, filepath.Join(name, path), stat)
			if how == exact {
				value = mode.String() + " " + value
			}
			read.parts = append(read.parts, Part{"file", filepath.ToSlash(path), value})
			return err
		})
		return read, err
	}))
	return once.(func() (*folder, error))()
}

// onTheWay reports whether a folder is there only because something below it is read: its mode does
// not matter then.
func onTheWay(folder string, paths []string) bool {
	above := false
	for _, path := range paths {
		path = strings.Trim(path, "/")
		if path == folder || strings.HasPrefix(folder, path+"/") {
			return false
		}
		above = above || strings.HasPrefix(path, folder+"/")
	}
	return above
}

// value returns what counts of a file: whether it is executable, and its content or where it leads
// to.
func (s *fileSums) value(ctx context.Context, name string, stat *types.Stat) (string, error) {
	mode := os.FileMode(stat.Mode)
	switch {
	case mode.IsRegular():
		sum, err := s.sum(ctx, name, stat)
		if mode&0o111 != 0 {
			sum = "executable " + sum
		}
		return sum, err
	case mode&os.ModeSymlink != 0:
		return "link " + stat.Linkname, nil
	}
	return mode.Type().String(), nil
}

// walk calls f for the files that a builder would receive, in the order in which it does.
func walk(ctx context.Context, folder string, filter *fsutil.FilterOpt, f func(path string, stat *types.Stat) error) error {
	all, err := fsutil.NewFS(folder)
	if err != nil {
		return err
	}
	filtered, err := fsutil.NewFilterFS(all, filter)
	if err != nil {
		return err
	}
	return filtered.Walk(ctx, "", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*types.Stat)
		if !ok {
			return fmt.Errorf("%s has no status", path)
		}
		return f(path, stat)
	})
}

// sum returns the checksum of a file, which is read once for each status that it has.
func (s *fileSums) sum(ctx context.Context, name string, stat *types.Stat) (string, error) {
	if s.before != nil {
		return s.before.sum(ctx, name, stat)
	}
	once, _ := s.sums.LoadOrStore(fmt.Sprintf("%q %d %d", name, stat.Size, stat.ModTime), sync.OnceValues(func() (string, error) {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer file.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, untilDone{ctx, file}); err != nil {
			return "", err
		}
		return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
	}))
	return once.(func() (string, error))()
}

// untilDone is a reader that ends with its context: a large file takes minutes to read.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// noFiles is a reference without files.
type noFiles struct{}

var _ gateway.Reference = noFiles{}

func (noFiles) ToState() (llb.State, error)    { return llb.Scratch(), nil }
func (noFiles) Evaluate(context.Context) error { return nil }

func (noFiles) ReadFile(_ context.Context, req gateway.ReadRequest) ([]byte, error) {
	return nil, notThere(req.Filename)
}

func (noFiles) StatFile(_ context.Context, req gateway.StatRequest) (*types.Stat, error) {
	return nil, notThere(req.Path)
}

func (noFiles) ReadDir(_ context.Context, req gateway.ReadDirRequest) ([]*types.Stat, error) {
	return nil, notThere(req.Path)
}

func notThere(name string) error {
	return &fs.PathError{Op: "open", Path: strings.TrimPrefix(name, "/"), Err: fs.ErrNotExist}
}
