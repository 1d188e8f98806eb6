package invoke

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
)

// programs has the program of an instance for each platform, compressed: see the README there.
//
//go:embed programs
var programs embed.FS

// program returns the program of an instance for an architecture, as BuildKit calls it. A samforge that
// was built without, as go install builds it, is one itself for its own architecture.
func program(arch string) ([]byte, error) {
	file, err := programs.Open("programs/instance-" + arch + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return own(arch)
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

// own returns this executable, if it runs in a container of the architecture that has nothing else.
func own(arch string) ([]byte, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != arch {
		return nil, fmt.Errorf("this samforge was built without the program that runs functions for linux/%s: build it with make build", arch)
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read samforge's own executable: %w", err)
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return nil, errors.New("this samforge cannot run functions, since it was built with cgo: CGO_ENABLED=0 go install github.com/samforge/samforge/cmd/samforge@latest, or make build")
	}
	return os.ReadFile(path)
}
