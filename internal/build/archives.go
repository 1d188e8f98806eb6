package build

import (
	"io"
	"os"
	"sync"

	bkclient "github.com/moby/buildkit/client"
)

// archives are the files that the exports of a job write.
type archives struct {
	mu    sync.Mutex
	begun []string // files on this machine that the builder has begun to send
}

// of records the files of the exports from now on.
func (a *archives) of(exports []bkclient.ExportEntry) {
	for i, export := range exports {
		if export.Output == nil {
			continue
		}
		exports[i].Output = func(attrs map[string]string) (io.WriteCloser, error) {
			out, err := export.Output(attrs)
			if file, ok := out.(*os.File); ok && err == nil {
				a.add(file)
			}
			return out, err
		}
	}
}

// add records a file unless it is a pipe, a terminal or the like.
func (a *archives) add(file *os.File) {
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || file == os.Stdout {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun = append(a.begun, file.Name())
}

// remove removes the files: after a failure they are not whole, and nobody could tell.
func (a *archives) remove() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, path := range a.begun {
		_ = os.Remove(path)
	}
	a.begun = nil
}
