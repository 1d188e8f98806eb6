package invoke

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// programs has the program of an instance for each platform, compressed: see the README there.
//
//go:embed programs
var programs embed.FS

// program returns the program of an instance for an architecture, as BuildKit calls it.
func program(arch string) ([]byte, error) {
	file, err := programs.Open("programs/instance-" + arch + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this samforge was built without the program that runs functions for linux/%s: build it with make build", arch)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, unpacked); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
