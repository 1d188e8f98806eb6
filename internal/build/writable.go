package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkWritable returns an error if this user may not write the file or the folder at path: what a
// build would find out only at its end. If there is none yet, the folder decides that it is made in.
func checkWritable(path string) error {
	at := filepath.Clean(path)
	for {
		_, err := os.Stat(at)
		parent := filepath.Dir(at)
		if !errors.Is(err, fs.ErrNotExist) || parent == at {
			break
		}
		at = parent
	}
	if err := access(at); err != nil {
		return fmt.Errorf("%s cannot be written: %s: %w; name a place that this user may write", path, at, err)
	}
	return nil
}
