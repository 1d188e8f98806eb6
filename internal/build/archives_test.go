package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	bkclient "github.com/moby/buildkit/client"
)

// A build that fails leaves no part of an archive, and what it has not begun to write stays.
func TestArchivesOfFailedBuilds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := map[string]bool{"begun.tar": false, "untouched.tar": true} // whether they are there afterwards
	var exports []bkclient.ExportEntry
	for name := range paths {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("of an earlier build"), 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := fileOutput(path)
		if err != nil {
			t.Fatal(err)
		}
		exports = append(exports, bkclient.ExportEntry{Output: output, Attrs: map[string]string{"dest": name}})
	}
	a := &archives{}
	a.of(exports)
	for _, export := range exports {
		if export.Attrs["dest"] != "begun.tar" {
			continue
		}
		file, err := export.Output(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	a.remove()
	for name, want := range paths {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
