package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/tonistiigi/fsutil"
)

// FuzzCounts: whatever the patterns of a .dockerignore are, a file that a builder gets counts, and
// the folders that it is in are watched. Without exceptions among the patterns, no other file counts.
func FuzzCounts(f *testing.F) {
	for _, seed := range []string{"*.md\n!a.md", "a\n!a/b/c.txt", "**\n!**/*.go", "a/*\n!a/b", "/a/b/\nd.md", "[", "!", ".", "a/../d.md", "**/b\n!a/b/c.txt\n*/b/c*", "\\a", "a/b/c.txt/", "*/\n!a/b/c.txt\n*/b"} {
		f.Add(seed)
	}
	root, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	files := []string{"a.md", "d.md", "a/b/c.txt", "a/b/d.go", "a/e.md", "x y", "b/c"}
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := Source{Path: root, Folder: true, Ignore: strings.Split(text, "\n")}
		sent, err := sentOf(t, root, s.Ignore)
		var wrong error
		if s.ignored, wrong = patternmatcher.New(s.Ignore); wrong != nil || err != nil {
			return // which the build says
		}
		for _, name := range files {
			if got := s.counts(filepath.Join(root, name)); got != sent[name] && (sent[name] || !s.ignored.Exclusions()) {
				t.Errorf("%s counts: %t, and is sent: %t", name, got, sent[name])
			}
			for folder := filepath.Dir(name); sent[name] && folder != "."; folder = filepath.Dir(folder) {
				if !s.counts(filepath.Join(root, folder)) {
					t.Errorf("%s is sent, and %s is not watched", name, folder)
				}
			}
		}
	})
}

// sentOf returns the files that a builder gets.
func sentOf(t *testing.T, root string, ignore []string) (map[string]bool, error) {
	t.Helper()
	all, err := fsutil.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	filtered, err := fsutil.NewFilterFS(all, &fsutil.FilterOpt{ExcludePatterns: ignore})
	if err != nil {
		return nil, err
	}
	sent := map[string]bool{}
	return sent, filtered.Walk(t.Context(), "", func(path string, _ fs.DirEntry, err error) error {
		sent[filepath.ToSlash(path)] = true
		return err
	})
}
