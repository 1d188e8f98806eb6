package build

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// The names by which dockerui requests the build context and the build file.
const (
	localContext    = dockerui.DefaultLocalNameContext
	localDockerfile = dockerui.DefaultLocalNameDockerfile
)

// served are the files that the session sends when the builder asks for them.
type served struct {
	attrs    map[*project.Project]map[string]string // the frontend's attributes for the contexts, by part
	mounts   map[string]fsutil.FS
	contexts map[string]fsutil.FS // the build contexts of several parts, by folder
	stores   map[string]content.Store
}

// serve returns the files that the session sends for a project. Of several parts, each has files under
// names of its own, and those that have one build context share it.
func serve(p *project.Project) (*served, error) {
	s := &served{
		attrs:  map[*project.Project]map[string]string{},
		mounts: map[string]fsutil.FS{}, contexts: map[string]fsutil.FS{}, stores: map[string]content.Store{},
	}
	parts := p.Parts()
	for n, part := range parts {
		s.attrs[part] = map[string]string{}
		suffix := ""
		if len(parts) > 1 {
			suffix = fmt.Sprintf("-%d", n)
			s.attrs[part]["dockerfilekey"] = localDockerfile + suffix
		}
		if err := s.part(part, suffix); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// part serves a part of a project: its build file and lock file, its named contexts, and its build
// context if the build reads anything from it. suffix is that of the names of its files.
func (s *served) part(p *project.Project, suffix string) (err error) {
	for _, c := range p.Contexts {
		if err := s.add(p, c, suffix); err != nil {
			return fmt.Errorf("--build-context %s=%s: %w", c.Name, c.Source, err)
		}
	}
	if p.ReadsContext() && p.Context.Folder != "" {
		to, name := s.mounts, localContext
		if suffix != "" {
			to, name = s.contexts, filepath.Clean(p.Context.Folder)
			s.attrs[p]["local-sessionid:"+localContext] = builder.SessionOf(name)
		}
		if to[name], err = fsutil.NewFS(p.Context.Folder); err != nil {
			return err
		}
	}
	files := staticfs.NewFS()
	files.Add(p.File.ServedName(), &types.Stat{Mode: 0o644}, p.File.Data)
	if p.File.LockData != nil {
		files.Add(llbgen.LockFilename(p.File.ServedName()), &types.Stat{Mode: 0o644}, p.File.LockData)
	}
	if p.File.IgnoreData != nil {
		files.Add(p.File.ServedName()+".dockerignore", &types.Stat{Mode: 0o644}, p.File.IgnoreData)
	}
	s.mounts[localDockerfile+suffix] = files
	return nil
}

// add serves a named context: a folder or an OCI layout. For any other it serves nothing, because
// the builder fetches those.
func (s *served) add(p *project.Project, c project.NamedContext, suffix string) (err error) {
	attrs, key := s.attrs[p], "context:"+c.Name
	if value, ok := strings.CutPrefix(c.Source, project.LayoutScheme); ok {
		attrs[key], err = s.layout(value)
		return err
	}
	if !c.Folder() {
		attrs[key] = c.Source
		return nil
	}
	local := c.Name
	if local == localContext || local == localDockerfile {
		local = "_" + local // as buildx does
	}
	local += suffix
	attrs[key] = "local:" + local
	s.mounts[local], err = fsutil.NewFS(c.Source)
	return err
}

// layout serves an OCI layout as a content store, and returns the address of the context.
func (s *served) layout(value string) (string, error) {
	layout, err := project.ParseLayout(value)
	if err != nil {
		return "", err
	}
	store, err := contentlocal.NewStore(layout.Path)
	if err != nil {
		return "", fmt.Errorf("open the OCI layout %s: %w", layout.Path, err)
	}
	id := fmt.Sprintf("layout-%d", len(s.stores))
	s.stores[id] = store
	return project.LayoutScheme + id + "@" + layout.Digest.String(), nil
}
