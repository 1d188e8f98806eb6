package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"

	"github.com/samforge/samforge/internal/userfile"
)

// notCopied matches BuildKit's error about a file of a build context that a step copies.
var notCopied = regexp.MustCompile(`failed to calculate checksum of ref \S+: "/([^"]*)": not found`)

// explainNotCopied returns a sentence that says why a file is not in a function's build context, or
// the empty string.
func explainNotCopied(err error, folder string) string {
	found := notCopied.FindStringSubmatch(err.Error())
	if found == nil || copiesFromImage(err) {
		return ""
	}
	root, err := userfile.RealPath(folder)
	if err != nil {
		return ""
	}
	path := root
	for part := range strings.SplitSeq(found[1], "/") {
		around := path
		path = filepath.Join(path, part)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Sprintf("the build context %s has no %s", folder, found[1]) + nearestIn(around, part)
		case err != nil:
			return ""
		case info.Mode()&fs.ModeSymlink == 0:
			continue
		}
		to, err := filepath.EvalSymlinks(path)
		if err != nil {
			return fmt.Sprintf("%s in the build context %s is a link that leads nowhere", found[1], folder)
		}
		if to != root && !strings.HasPrefix(to, root+"/") {
			return fmt.Sprintf("%s is a link out of the build context %s, to %s, which is not sent to a builder: put the files into the context, or set DockerContext to a folder around both", path, folder, to)
		}
		path = to
	}
	return fmt.Sprintf("%s is in the build context %s, but its ignore file leaves it out", found[1], folder)
}

// copiesFromImage reports whether the line of a Dockerfile that an error is about copies from an image
// or another stage.
func copiesFromImage(err error) bool {
	for _, source := range errdefs.Sources(err) {
		lines := strings.Split(string(source.Info.GetData()), "\n")
		for _, r := range source.Ranges {
			for n := r.Start.Line; n <= r.End.Line && int(n) <= len(lines) && n > 0; n++ {
				if strings.Contains(lines[n-1], "from=") {
					return true
				}
			}
		}
	}
	return false
}
