// Finds the programs that `make tools` builds.

package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

var moduleLine = regexp.MustCompile(`(?m)^module github\.com/samforge/samforge$`)

// Tool returns the path of a program: bin/<name> in the repository that holds
// the working directory, else the first <name> on PATH.
func Tool(name string) (string, error) {
	root, rootErr := repositoryRoot()
	if rootErr == nil {
		path := filepath.Join(root, "bin", name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is neither in the repository's bin/ nor on PATH: run make tools", name)
}

// repositoryRoot walks up from the working directory to the go.mod of samforge.
func repositoryRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && moduleLine.Match(data) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the samforge repository: run this from a checkout", start)
		}
	}
}
