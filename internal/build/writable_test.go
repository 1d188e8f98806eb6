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
	for path, want := range map[string]bool{
		dir: true, filepath.Join(dir, "x.tar"): true, filepath.Join(dir, "a/b/c"): true,
		locked: false, file: false, filepath.Join(locked, "a/b"): false,
	} {
		if os.Getuid() == 0 && !want {
			continue // root may write everywhere
		}
		if err := checkWritable(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := checkWritable("/proc/1/x.tar"); os.Getuid() != 0 && err == nil {
		t.Error("/proc is writable")
	}
}
