package build

import (
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

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
	attrs  map[string]string // the frontend's attributes for the named contexts
	mounts map[string]fsutil.FS
	stores map[string]content.Store
}

// serve returns the files that the session sends for a project: its build file and lock file, its
// named contexts, and its build context if the build reads anything from it.
func serve(p *project.Project) (*served, error) {
	s := &served{attrs: map[string]string{}, mounts: map[string]fsutil.FS{}, stores: map[string]content.Store{}}
	for _, c := range p.Contexts {
		if err := s.add(c); err != nil {
			return nil, fmt.Errorf("--build-context %s=%s: %w", c.Name, c.Source, err)
		}
	}
	if p.ReadsContext() && p.Context.Folder != "" {
		if err := s.folder(localContext, p.Context.Folder); err != nil {
			return nil, err
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
	s.mounts[localDockerfile] = files
	return s, nil
}

// add serves a named context: a folder or an OCI layout. For any other it serves nothing, because
// the builder fetches those.
func (s *served) add(c project.NamedContext) error {
	if value, ok := strings.CutPrefix(c.Source, project.LayoutScheme); ok {
		return s.layout(c.Name, value)
	}
	if !c.Folder() {
		s.attrs["context:"+c.Name] = c.Source
		return nil
	}
	local := c.Name
	if local == localContext || local == localDockerfile {
		local = "_" + local // as buildx does
	}
	s.attrs["context:"+c.Name] = "local:" + local
	return s.folder(local, c.Source)
}

func (s *served) folder(name, folder string) error {
	files, err := fsutil.NewFS(folder)
	if err != nil {
		return err
	}
	s.mounts[name] = files
	return nil
}

// layout serves an OCI layout as a content store.
func (s *served) layout(name, value string) error {
	layout, err := project.ParseLayout(value)
	if err != nil {
		return err
	}
	store, err := contentlocal.NewStore(layout.Path)
	if err != nil {
		return fmt.Errorf("open the OCI layout %s: %w", layout.Path, err)
	}
	id := fmt.Sprintf("layout-%d", len(s.stores))
	s.stores[id] = store
	s.attrs["context:"+name] = "oci-layout://" + id + "@" + layout.Digest.String()
	return nil
}
