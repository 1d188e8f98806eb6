package ci

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/moby/sys/atomicwriter"

	"github.com/samforge/samforge/internal/userfile"
)

// checkFiles returns an error if the user may not write a file or a folder of the settings, before
// anything is built. It makes their folders.
func (s *Step) checkFiles() error {
	layout := s.layoutPath
	if layout != "" {
		layout = filepath.Join(layout, "index.json")
	}
	for _, file := range []struct{ name, path string }{
		{"PLUGIN_TAR_PATH", s.tarPath},
		{"PLUGIN_OCI_LAYOUT_PATH", layout},
		{"PLUGIN_METADATA_FILE", s.metadataFile},
		{"PLUGIN_ARTIFACT_FILE", s.artifactFile},
		{"PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE", s.digestFile},
		{"PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE", s.tagDigestFile},
		{"DRONE_OUTPUT", s.outputFile},
	} {
		if file.path == "" {
			continue
		}
		if err := mayWrite(file.path); err != nil {
			return fmt.Errorf("%s: the user %d may not write there (%w): name another folder, or give the user this one (Kubernetes: fsGroup: 1000 in the securityContext of the pod; docker run: a volume without :ro)", file.name, os.Getuid(), err)
		}
	}
	return nil
}

// mayWrite makes the folder of a file, and returns an error if write would not be able to write the
// file.
func mayWrite(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s: %w", path, syscall.EISDIR)
	case err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0:
		return fmt.Errorf("%s is %s", path, userfile.KindOf(info.Mode())) // which could wait for ever
	}
	if writableInPlace(path) {
		return nil
	}
	file, err := os.CreateTemp(folder, ".samforge-")
	if err != nil {
		return err
	}
	_ = file.Close()
	return os.Remove(file.Name())
}

// write writes a file whole or not at all, and makes its folder. A device, and a file in a folder that
// the user may not write to, such as /dev/termination-log, are written in place. An empty path means no
// file.
func write(path string, data []byte) error {
	if path == "" || len(data) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := atomicwriter.WriteFile(path, data, 0o644)
	if err != nil && writableInPlace(path) {
		return os.WriteFile(path, data, 0o644)
	}
	return err
}

// writableInPlace reports whether there is a file or a device that the user may write to.
func writableInPlace(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() && info.Mode()&os.ModeCharDevice == 0 {
		return false // opening a pipe could wait for ever
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
