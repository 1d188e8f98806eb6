package frontend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/client/llb"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// overwritesNothing reports whether a layer leaves all files of the base image as they are. It
// warns about those that it replaces.
func (c *checks) overwritesNothing(ctx context.Context, layer *llbgen.Layer) (bool, error) {
	base, err := c.fileSystemOf(ctx, c.image.Base.State)
	if err != nil {
		return false, err
	}
	added, err := c.fileSystemOf(ctx, layer.State)
	if err != nil {
		return false, err
	}
	files, err := overwritten(base, added, "")
	if err != nil {
		return false, c.plan.At(layer.Field, err)
	}
	if len(files) == 0 {
		return true, nil
	}
	found := c.plan.Finding(llbgen.RuleOverwritesBase, layer.Field, fmt.Errorf(
		"the %s replaces %s of the runtime image: node.layout: isolated keeps them", layer.Source, listed(files)))
	if found == nil {
		return false, nil
	}
	return false, c.warn(ctx, []*source.Diagnostic{found})
}

func (b *build) fileSystemOf(ctx context.Context, state llb.State) (fileSystem, error) {
	ref, err := b.solve(ctx, state, true)
	return fileSystem{ctx, ref}, err
}

// listed returns the names of some files, and how many there are.
func listed(files []string) string {
	const most = 5
	if len(files) == 1 {
		return files[0]
	}
	text := fmt.Sprintf("%d files (%s", len(files), strings.Join(files[:min(most, len(files))], ", "))
	if len(files) > most {
		text += ", …"
	}
	return text + ")"
}

// overwritten returns the paths below dir whose content differs between base and added.
func overwritten(base, added fileSystem, dir string) (files []string, err error) {
	before, err := base.readDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there := map[string]*fstypes.Stat{}
	for _, entry := range before {
		there[path.Base(entry.Path)] = entry
	}
	after, err := added.readDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range after {
		old, ok := there[path.Base(entry.Path)]
		if !ok {
			continue
		}
		name := path.Join(dir, path.Base(entry.Path))
		if entry.IsDir() && old.IsDir() {
			more, err := overwritten(base, added, name)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
			continue
		}
		same, err := sameContent(base, added, name, old, entry)
		if err != nil {
			return nil, err
		}
		if !same {
			files = append(files, "/"+name)
		}
	}
	return files, nil
}

// sameContent compares a file of two file systems that is not a directory in both.
func sameContent(a, b fileSystem, name string, statA, statB *fstypes.Stat) (bool, error) {
	typeA, typeB := fs.FileMode(statA.Mode).Type(), fs.FileMode(statB.Mode).Type()
	if typeA != typeB || statA.Linkname != statB.Linkname || statA.Size != statB.Size {
		return false, nil
	}
	if !typeA.IsRegular() {
		return true, nil
	}
	return sameBytes(a, b, name, statA.Size)
}

// sameBytes compares two files of one size, piece by piece.
func sameBytes(a, b fileSystem, name string, size int64) (bool, error) {
	fileA, fileB := &refFile{fileSystem: a, name: name}, &refFile{fileSystem: b, name: name}
	for offset := int64(0); offset < size; offset += maxRead {
		pieceA, pieceB := make([]byte, min(maxRead, size-offset)), make([]byte, min(maxRead, size-offset))
		if _, err := fileA.ReadAt(pieceA, offset); err != nil {
			return false, err
		}
		if _, err := fileB.ReadAt(pieceB, offset); err != nil {
			return false, err
		}
		if !bytes.Equal(pieceA, pieceB) {
			return false, nil
		}
	}
	return true, nil
}
