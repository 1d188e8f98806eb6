package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/moby/buildkit/frontend/dockerui"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"

	"github.com/samforge/samforge/credentials"
	"github.com/samforge/samforge/frontend"
)

// mainContext is the build context of a request: a folder, or an address that
// the builder fetches.
type mainContext struct{ folder, address string }

// readContext finds the build context. A folder wins over an address that reads
// the same, as in docker.
func readContext(opt Options) (mainContext, error) {
	switch {
	case opt.Context == "" && (opt.File == "" || opt.File == "-"):
		return mainContext{folder: "."}, nil
	case opt.Context == "":
		return mainContext{folder: filepath.Dir(opt.File)}, nil
	}
	info, err := os.Stat(opt.Context)
	if err == nil && info.IsDir() {
		return mainContext{folder: opt.Context}, nil
	}
	if err == nil {
		return mainContext{}, fmt.Errorf("the context %s is a file: name a folder, and the build file with --file", opt.Context)
	}
	if credentials.In(opt.Context) {
		return mainContext{}, frontend.ErrCredentials(opt.Context)
	}
	_, isGit, _ := dockerui.DetectGitContext(opt.Context, nil)
	if _, _, isHTTP := dockerui.DetectHTTPContext(opt.Context); !isGit && !isHTTP {
		return mainContext{}, fmt.Errorf("the context %s is no folder, and no address of a git repository or an archive", opt.Context)
	}
	if opt.File == "" {
		return mainContext{}, fmt.Errorf("the context %s is not on this machine, where the build file is read: name one with --file, - for standard input", opt.Context)
	}
	return mainContext{address: opt.Context}, nil
}

// attrs are what a frontend is told of a context that is not a folder: where it
// is, and that the build file is not in it.
func (c mainContext) attrs() map[string]string {
	if c.address == "" {
		return nil
	}
	return map[string]string{localContext: c.address, "dockerfilekey": localDockerfile}
}

// contexts are the named contexts of a build, and what the session serves for
// them. A context named like an image takes the place of that image.
type contexts struct {
	attrs  map[string]string
	mounts map[string]fsutil.FS
	stores map[string]content.Store
}

// cutContext splits --build-context.
func cutContext(value string) (name, source string, err error) {
	name, source, _ = strings.Cut(value, "=")
	if name == "" || source == "" {
		return "", "", fmt.Errorf("--build-context %q: expected NAME=SOURCE", credentials.Mask(value))
	}
	if credentials.In(source) {
		return "", "", fmt.Errorf("--build-context %s: %w", name, frontend.ErrCredentials(source))
	}
	return name, source, nil
}

// namedContexts reads --build-context NAME=SOURCE as buildx does: a folder, an
// OCI layout, or anything that the builder fetches itself.
func namedContexts(values []string) (*contexts, error) {
	c := &contexts{attrs: map[string]string{}, mounts: map[string]fsutil.FS{}, stores: map[string]content.Store{}}
	for _, value := range values {
		name, source, err := cutContext(value)
		if err != nil {
			return nil, err
		}
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return nil, fmt.Errorf("--build-context %q: %q is not a name of a context or an image: %w", value, name, err)
		}
		name = strings.TrimSuffix(reference.FamiliarString(named), ":latest")
		if err := c.add(name, source); err != nil {
			return nil, fmt.Errorf("--build-context %q: %w", value, err)
		}
	}
	return c, nil
}

func (c *contexts) add(name, source string) error {
	if path, ok := strings.CutPrefix(source, "oci-layout://"); ok {
		return c.addLayout(name, path)
	}
	if strings.Contains(source, "://") || strings.HasPrefix(source, "git@") {
		c.attrs[name] = source
		return nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", source)
	}
	local := name
	if name == localContext || name == localDockerfile {
		local = "_" + name // as buildx does
	}
	c.attrs[name] = "local:" + local
	return c.serve(local, source)
}

// serve has the session send what the builder asks for of a folder.
func (c *contexts) serve(name, folder string) error {
	files, err := fsutil.NewFS(folder)
	if err != nil {
		return err
	}
	c.mounts[name] = files
	return nil
}

// addLayout serves an OCI layout, PATH[:TAG][@DIGEST], as a content store.
func (c *contexts) addLayout(name, path string) error {
	path, dgst, _ := strings.Cut(path, "@")
	tag := "latest"
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		path, tag = path[:i], path[i+1:]
	}
	store, err := contentlocal.NewStore(path)
	if err != nil {
		return fmt.Errorf("open the OCI layout %s: %w", path, err)
	}
	if dgst == "" {
		desc, err := layoutEntry(path, tag)
		if err != nil {
			return err
		}
		dgst = desc.Digest.String()
	}
	id := fmt.Sprintf("layout-%d", len(c.stores))
	c.stores[id] = store
	c.attrs[name] = "oci-layout://" + id + "@" + dgst
	return nil
}

func layoutEntry(path, tag string) (*ocispecs.Descriptor, error) {
	index := ociindex.NewStoreIndex(path)
	if desc, err := index.Get(tag); err == nil && desc != nil {
		return desc, nil
	}
	desc, err := index.GetSingle()
	if err != nil {
		return nil, fmt.Errorf("read the index of the OCI layout %s: %w", path, err)
	}
	if desc == nil {
		return nil, fmt.Errorf("the OCI layout %s has no image tagged %s: name one as PATH:TAG or PATH@DIGEST", path, tag)
	}
	return desc, nil
}

// The names that dockerui asks for the build context and the build file under.
const (
	localContext    = dockerui.DefaultLocalNameContext
	localDockerfile = dockerui.DefaultLocalNameDockerfile
)
