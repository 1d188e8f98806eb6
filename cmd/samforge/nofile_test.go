package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where there is no build file, the commands about its lock say who writes one, or which file may be meant.
func TestLockWithoutABuildFile(t *testing.T) {
	for file, want := range map[string]string{"": "samforge init writes one", "samforge.yml": "name samforge.yml with --file"} {
		t.Chdir(t.TempDir())
		if file != "" {
			if err := os.WriteFile(filepath.Join(".", file), []byte("kind: sam\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, verb := range []string{"lock", "outdated"} {
			if _, err := execute(verb); codeOf(err) != exitInput || !strings.Contains(err.Error(), "there is no samforge.yaml in this folder: "+want) {
				t.Errorf("samforge %s beside %q: %v", verb, file, err)
			}
		}
	}
}
