package testenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// BuildSamforge compiles samforge and samforge-bake into a folder, as make build does, and returns the
// path of samforge.
func BuildSamforge(folder string) (string, error) {
	const commands = "github.com/samforge/samforge/cmd/"
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", folder, commands+"samforge", commands+"samforge-bake")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build samforge: %w\n%s", err, out)
	}
	return filepath.Join(folder, "samforge"), nil
}
