package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/samforge/samforge/internal/project"
)

const serverlessFile = `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {version: 3.39.0}
runtimes:
  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415
    node: public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712
`

// The session looks for the build file in the context, and serves the context only if a lock is
// read from it.
func TestTheContextIsServedForALock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "samforge.yaml"), []byte(serverlessFile), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := map[string]string{"SAMFORGE_SERVERLESS_LOCK": "package-lock.json"}
	for name, c := range map[string]struct {
		opt    project.Options
		served bool
	}{
		"no lock":              {project.Options{Context: dir}, false},
		"a lock":               {project.Options{Context: dir, BuildArgs: lock}, true},
		"a lock in an archive": {project.Options{File: filepath.Join(dir, "samforge.yaml"), Context: "https://files.example.com/context.tgz", BuildArgs: lock}, false},
	} {
		p, err := project.Load(t.Context(), c.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, err := serve(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, served := s.mounts[localContext]; served != c.served {
			t.Errorf("%s: served is %v, want %v", name, served, c.served)
		}
	}
}

func TestServedContexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err == nil {
		err = path.AppendImage(empty.Image)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := empty.Image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ value, key, want string }{
		"a folder":                      {"files=" + dir, "files", "local:files"},
		"a folder named as a local one": {"context=" + dir, "context", "local:_context"},
		"an image":                      {"files=docker-image://alpine:3", "files", "docker-image://alpine:3"},
		"an OCI layout with one image":  {"files=oci-layout://" + string(path), "files", "oci-layout://layout-0@" + digest.String()},
		"an OCI layout and a digest":    {"files=oci-layout://" + string(path) + "@" + digest.String(), "files", "oci-layout://layout-0@" + digest.String()},
	} {
		p, s, err := serveContext(c.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := s.attrs[p]["context:"+c.key]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, _, err := serveContext("files=oci-layout://" + dir + "/empty"); err == nil || !strings.Contains(err.Error(), "OCI layout") {
		t.Errorf("a layout without index: the error is %v", err)
	}
}

// serveContext serves a build file with one named context.
func serveContext(value string) (*project.Project, *served, error) {
	p, err := project.Load(context.Background(), project.Options{File: "-", Stdin: strings.NewReader(serverlessFile), BuildContexts: []string{value}})
	if err != nil {
		return nil, nil, err
	}
	s, err := serve(p)
	return p, s, err
}
