package userfile

import (
	"io/fs"
	"path/filepath"

	continuity "github.com/containerd/continuity/fs"
	"github.com/moby/patternmatcher"
	"github.com/tonistiigi/fsutil"
)

// Folder is a build context on this machine as a builder sees it: links are resolved as if it was
// the root of a file system, and files that a .dockerignore leaves out do not exist.
type Folder struct {
	root    string
	files   fsutil.FS
	ignored *patternmatcher.PatternMatcher
}

var _ fs.FS = (*Folder)(nil)

// NewFolder returns the folder without the files that match the patterns of a .dockerignore.
func NewFolder(root string, ignore []string) (*Folder, error) {
	files, err := fsutil.NewFS(root)
	if err != nil {
		return nil, err
	}
	ignored, err := patternmatcher.New(ignore)
	if err != nil {
		return nil, err
	}
	return &Folder{root, files, ignored}, nil
}

// Open opens a regular file. A link to a file that is left out leads nowhere, because the builder
// never gets that file.
func (f *Folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	sent, err := fsutil.FollowLinks(f.files, []string{name})
	if err != nil {
		return nil, err
	}
	for _, path := range sent {
		out, err := f.ignored.MatchesOrParentMatches(path)
		if err != nil {
			return nil, err
		}
		if out {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
	}
	path, err := continuity.RootPath(f.root, filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	return open(path)
}

// RealPath returns the absolute path of a file or a folder, without symbolic links.
func RealPath(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}
