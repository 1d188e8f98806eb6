package builder

import (
	"os"
	"path/filepath"
	"testing"
)

// A state folder that a private builder uses stays, and goes once the builder has ended. What others
// have in the cache folder is not samforge's.
func TestStateFolders(t *testing.T) {
	opt := privateOptions(t)
	b, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	folders, err := opt.StateFolders()
	if err != nil || len(folders) != 1 || !folders[0].InUse || folders[0].Bytes == 0 {
		t.Fatalf("while it runs: %+v, %v", folders, err)
	}
	dir := folders[0].Path
	if err := opt.RemoveState(t.Context(), dir); err == nil {
		t.Error("the state of a running builder was removed")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(dir), "somebody-elses")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if folders, err = opt.StateFolders(); err != nil || len(folders) != 1 || folders[0].InUse {
		t.Fatalf("after its end: %+v, %v", folders, err)
	}
	if err := opt.RemoveState(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Dir(dir) + "/*"); err != nil || len(left) != 1 || left[0] != other {
		t.Errorf("left are %q, want %q", left, other)
	}
}
