package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The other systems of a release compile.
func TestOtherSystems(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"darwin_arm64", "windows_amd64"} {
		goos, goarch, _ := strings.Cut(target, "_")
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", filepath.Join(t.TempDir(), "samforge"), "github.com/samforge/samforge/cmd/samforge")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
