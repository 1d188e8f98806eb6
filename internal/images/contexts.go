package images

import (
	"fmt"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/moby/buildkit/frontend/dockerui"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

// contexts are the named contexts of a build, and what the session serves for
// them. A context named like an image takes the place of that image.
type contexts struct {
	attrs  map[string]string
	mounts map[string]fsutil.FS
	stores map[string]content.Store
}

// namedContexts reads --build-context NAME=SOURCE as buildx does: a folder, an
// OCI layout, or anything that the builder fetches itself.
func namedContexts(values []string) (*contexts, error) {
	c := &contexts{attrs: map[string]string{}, mounts: map[string]fsutil.FS{}, stores: map[string]content.Store{}}
	for _, value := range values {
		name, source, ok := strings.Cut(value, "=")
		if !ok || name == "" || source == "" {
			return nil, fmt.Errorf("--build-context %q: expected NAME=SOURCE", value)
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
	files, err := fsutil.NewFS(source)
	if err != nil {
		return err
	}
	c.mounts[name] = files
	c.attrs[name] = "local:" + name
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

// localDockerfile is the name that dockerui reads the build file under.
const localDockerfile = dockerui.DefaultLocalNameDockerfile
