package frontend

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/elf"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// addFiles adds the check of a layer's programs and scripts.
func (c *checks) addFiles(layer *llbgen.Layer) {
	if len(layer.Executables)+len(layer.Scripts) == 0 {
		return
	}
	name := "programs " + strings.Join(layer.Executables, " ") + ", scripts " + strings.Join(layer.Scripts, " ")
	c.add(name, func(ctx context.Context) (bool, error) {
		files, err := c.fileSystemOf(ctx, layer.State)
		if err == nil {
			err = c.checkFiles(files, layer)
		}
		if err != nil {
			return false, c.plan.At(layer.Field, fmt.Errorf("%s: %w", layer.Source, err))
		}
		return true, nil
	}, layer.State)
}

// checkFiles checks that a layer's programs and scripts are regular files, and that the programs
// are for the platform. It opens regular files only, as opening a pipe could block.
func (c *checks) checkFiles(files fileSystem, layer *llbgen.Layer) error {
	for _, name := range slices.Concat(layer.Executables, layer.Scripts) {
		info, err := fs.Stat(files, inRoot(name))
		if err != nil {
			return fmt.Errorf("look for %s: %w", name, err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file but %s", name, userfile.KindOf(info.Mode()))
		}
		if info.Size() == 0 {
			return fmt.Errorf("%s is an empty file", name)
		}
	}
	for _, name := range layer.Executables {
		head, err := files.readHead(inRoot(name))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := elf.CheckProgram(head, c.platform); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

// digestMismatch finds the file's checksum and the expected one in BuildKit's error.
var digestMismatch = regexp.MustCompile(`digest mismatch .*?sha256:([a-f0-9]{64}).*?sha256:([a-f0-9]{64})`)

// missingFile finds the path in BuildKit's error about a copy whose source is missing.
var missingFile = regexp.MustCompile(`"?(/[^":]+)"?: (?:not found|no such file or directory)`)

// explainLayer returns an error that says in the user's terms why a layer could not be built.
func explainLayer(layer *llbgen.Layer, err error) error {
	text := err.Error()
	if sums := digestMismatch.FindStringSubmatch(text); sums != nil {
		return fmt.Errorf("%s: the file has the SHA-256 sum %s, expected %s: if it is the right file, correct the sum in the build file, or run samforge lock --update: %w", layer.Source, sums[1], sums[2], err)
	}
	if file := missingFile.FindStringSubmatch(text); file != nil {
		return fmt.Errorf("%s has no %s, which the image needs: is it the right image? %w", layer.Source, file[1], err)
	}
	return fmt.Errorf("%s: %w", layer.Source, err)
}
