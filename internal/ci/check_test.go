package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
)

// The first step of a new user has no Dockerfile where the step looks for one.
func TestNoDockerfile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "app.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"Dockerfile":  "PLUGIN_DOCKERFILE: there is no Dockerfile in " + folder + ": put one there, or name its path with PLUGIN_DOCKERFILE, and the folder of its files with PLUGIN_CONTEXT",
		"build/Image": "PLUGIN_DOCKERFILE: there is no " + folder,
	} {
		file := filepath.Join(folder, setting)
		if err := (&Step{dockerfile: setting}).noDockerfile(file, project.CheckFile(file)); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
