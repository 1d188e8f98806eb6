package project

import (
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/internal/watch"
	"github.com/samforge/samforge/samtemplate"
)

// Functions returns the paths of the functions of a SAM template that are selected.
func (p *Project) Functions() []string {
	if app, ok := p.origin.(*application); ok {
		return app.names()
	}
	return nil
}

// Watched returns the files and the folders on this machine that the functions of a SAM template
// are made from. A source is of the function with this path, or of all.
func (p *Project) Watched() ([]watch.Source, error) {
	app, ok := p.origin.(*application)
	if !ok || p.Context.Address != "" {
		return nil, nil
	}
	w := watched{}
	w.file(p.File.LockPath, "")
	for t := range app.template.All() {
		w.file(t.Name, "")
	}
	for _, c := range p.Contexts {
		if c.Folder() {
			w.folder(c.Source, "")
		}
	}
	for _, f := range app.functions {
		w.function(f)
	}
	return w.sources, w.err
}

// watched collects sources, up to the first mistake.
type watched struct {
	sources []watch.Source
	err     error
}

func (w *watched) function(f *samtemplate.Function) {
	dockerfile := dockerfileOf(f)
	w.file(dockerfile, f.Path)
	w.folder(f.ContextDir, f.Path, dockerfile+dockerui.DefaultDockerignoreName)
}

// file adds a file, which need not exist. Its folder does.
func (w *watched) file(path, of string) {
	folder, err := userfile.RealPath(filepath.Dir(path))
	if w.err == nil {
		w.err = err
	}
	w.sources = append(w.sources, watch.Source{Path: filepath.Join(folder, filepath.Base(path)), Of: of})
	if real, err := userfile.RealPath(path); err == nil && real != filepath.Join(folder, filepath.Base(path)) {
		w.sources = append(w.sources, watch.Source{Path: real, Of: of})
	}
}

// folder adds a build context. ignoreFiles are further ones, which take the place of its own.
func (w *watched) folder(path, of string, ignoreFiles ...string) {
	ignoreFiles = append(ignoreFiles, filepath.Join(path, dockerui.DefaultDockerignoreName))
	for _, file := range ignoreFiles {
		w.file(file, of)
	}
	ignore, err := inputs.IgnorePatterns(ignoreFiles...)
	if w.err == nil {
		w.err = err
	}
	real, err := userfile.RealPath(path)
	if w.err == nil {
		w.err = err
	}
	w.sources = append(w.sources, watch.Source{Path: real, Folder: true, Ignore: ignore, Of: of})
}
