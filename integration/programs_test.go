package integration

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSizes: the programs stay small. A dependency that looks up methods by names that the linker does
// not know, such as text/template, makes them larger by a fifth.
func TestSizes(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int64{"samforge": 40e6, "samforge-bake": 40e6} {
		info, err := os.Stat(filepath.Join(testDir, name))
		must(t, err)
		if info.Size() > limit {
			t.Errorf("%s has %d MB, more than %d", name, info.Size()/1e6, limit/1e6)
		}
	}
}
