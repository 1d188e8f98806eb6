package frontend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	cacheutil "github.com/moby/buildkit/cache/util"
	"github.com/moby/buildkit/frontend/gateway/client"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// folder is a reference to the files of a directory. It reads them with buildkitd's own code.
type folder struct {
	client.Reference
	dir string
}

func (f folder) ReadFile(ctx context.Context, req client.ReadRequest) ([]byte, error) {
	r := cacheutil.ReadRequest{Filename: req.Filename}
	if req.Range != nil {
		r.Range = &cacheutil.FileRange{Offset: req.Range.Offset, Length: req.Range.Length}
	}
	return cacheutil.ReadFile(ctx, f.dir, r, 16<<20)
}

func (f folder) StatFile(ctx context.Context, req client.StatRequest) (*fstypes.Stat, error) {
	return cacheutil.StatFile(ctx, f.dir, req.Path)
}

func (f folder) ReadDir(ctx context.Context, req client.ReadDirRequest) ([]*fstypes.Stat, error) {
	return cacheutil.ReadDir(ctx, f.dir, cacheutil.ReadDirRequest{Path: req.Path, IncludePattern: req.IncludePattern})
}

// fileSystemWith returns a file system with these files; "-> x" is a link to x.
func fileSystemWith(t *testing.T, files map[string]string) fileSystem {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if target, ok := cutLink(content); ok {
			must(t, os.Symlink(target, file))
		} else {
			must(t, os.WriteFile(file, []byte(content), 0o644))
		}
	}
	return fileSystem{t.Context(), folder{dir: dir}}
}

func cutLink(content string) (target string, ok bool) {
	const arrow = "-> "
	if len(content) < len(arrow) || content[:len(arrow)] != arrow {
		return "", false
	}
	return content[len(arrow):], true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileSystemFollowsLinksWithinTheRoot(t *testing.T) {
	t.Parallel()
	files := fileSystemWith(t, map[string]string{
		"usr/lib/libc.so.6": "C library",
		"lib":               "-> /usr/lib",
		"escape":            "-> ../../../../usr/lib/libc.so.6",
	})
	for _, name := range []string{"usr/lib/libc.so.6", "lib/libc.so.6", "escape"} {
		if data, err := fs.ReadFile(files, name); err != nil || string(data) != "C library" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := files.Open("lib/libm.so.6"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	found, err := fs.Glob(files, "usr/lib/*.so.?")
	if err != nil || !slices.Equal(found, []string{"usr/lib/libc.so.6"}) {
		t.Errorf("the pattern matches %q, %v", found, err)
	}
}

func TestOverwritten(t *testing.T) {
	t.Parallel()
	base := fileSystemWith(t, map[string]string{
		"var/lang/bin/python3":  "python",
		"var/lang/lib/same.so":  "same",
		"var/lang/lib/bytes.so": "one",
		"var/lang/lib/size.so":  "short",
		"var/lang/lib/link.so":  "-> same.so",
		"var/lang/lib/kind":     "-> same.so",
		"var/lang/lib/to":       "-> same.so",
		"var/lang/etc":          "a file",
	})
	added := fileSystemWith(t, map[string]string{
		"var/lang/bin/node":     "node",
		"var/lang/lib/same.so":  "same",
		"var/lang/lib/bytes.so": "two",
		"var/lang/lib/size.so":  "a longer one",
		"var/lang/lib/link.so":  "-> same.so",
		"var/lang/lib/kind":     "same",
		"var/lang/lib/to":       "-> bytes.so",
		"var/lang/etc/conf":     "in a directory",
		"opt/new/file":          "new",
	})
	got, err := overwritten(base, added, "")
	want := []string{"/var/lang/etc", "/var/lang/lib/bytes.so", "/var/lang/lib/kind", "/var/lang/lib/size.so", "/var/lang/lib/to"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("overwritten are %q, %v; want %q", got, err, want)
	}
	if got, want := listed(got), "5 files (/var/lang/etc, /var/lang/lib/bytes.so, /var/lang/lib/kind, /var/lang/lib/size.so, /var/lang/lib/to)"; got != want {
		t.Errorf("listed as %q, want %q", got, want)
	}
	if got, want := listed([]string{"1", "2", "3", "4", "5", "6"}), "6 files (1, 2, 3, 4, 5, …)"; got != want {
		t.Errorf("listed as %q, want %q", got, want)
	}
}
