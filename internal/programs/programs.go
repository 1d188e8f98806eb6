// Package programs finds the programs that samforge runs.
package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Folders returns the folder of samforge's own program, then the absolute ones of path, a value of
// PATH. Relative ones are left out: with those, the current folder would decide which program runs.
func Folders(path string) []string {
	folders := slices.DeleteFunc(filepath.SplitList(path), func(folder string) bool { return !filepath.IsAbs(folder) })
	exe, err := os.Executable()
	if err != nil {
		return folders
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return append([]string{filepath.Dir(exe)}, folders...)
}

// Find returns the path of the first program of that name in folders, or "".
func Find(name string, folders []string) string {
	for _, folder := range folders {
		if file, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return file
		}
	}
	return ""
}
