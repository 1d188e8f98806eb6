package build

import (
	"os"
	"path/filepath"
	"testing"
)

// What does not exist yet is made in the nearest folder that does.
func TestCheckWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(locked, "file")
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root := os.Getuid() == 0 // who may write in a locked folder too
	for path, want := range map[string]bool{
		dir: true, plain: true, filepath.Join(dir, "x.tar"): true, filepath.Join(dir, "a/b/c"): true,
		locked: root, file: root, filepath.Join(locked, "a/b"): root,
		filepath.Join(plain, "x.tar"): false, filepath.Join(plain, "a/b"): false,
	} {
		if err := checkWritable(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}
