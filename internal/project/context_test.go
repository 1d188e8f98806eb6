package project

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func TestMainContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "samforge.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const git, archive = "https://git.example.com/ci/images.git#main", "https://files.example.com/context.tgz"
	for name, c := range map[string]struct {
		opt  Options
		want mainContext
	}{
		"without a build file the current folder": {Options{}, mainContext{folder: "."}},
		"of standard input the current folder":    {Options{File: "-"}, mainContext{folder: "."}},
		"the folder of the build file":            {Options{File: file}, mainContext{folder: dir}},
		"a folder that is given":                  {Options{File: "elsewhere/samforge.yaml", Context: dir}, mainContext{folder: dir}},
		"a git repository":                        {Options{File: file, Context: git}, mainContext{address: git}},
		"a git repository as git writes it":       {Options{File: "-", Context: "git@git.example.com:ci/images"}, mainContext{address: "git@git.example.com:ci/images"}},
		"an archive":                              {Options{File: file, Context: archive}, mainContext{address: archive}},
	} {
		if got, err := readContext(c.opt); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"a file":               {Options{Context: file}, "is a file: name a folder, and the build file with --file"},
		"a folder that is not": {Options{Context: dir + "/missing"}, "is no folder, and no address"},
		"standard input":       {Options{Context: "-"}, "is no folder, and no address"},
		"a token in the address": {
			Options{File: file, Context: "https://hunter2@git.example.com/ci/images.git"},
			"https://xxxxxxx@git.example.com/ci/images.git has a user or a password in its address, which would be recorded with the image: leave it out; for a git repository pass the token with --secret id=GIT_AUTH_TOKEN,env=NAME; for an archive the Authorization header with --secret id=HTTP_AUTH_HEADER_git.example.com,env=NAME",
		},
		"an address and no build file": {Options{Context: git}, "is not on this machine, where the build file is read"},
	} {
		if _, err := readContext(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that tells %q", name, err, c.want)
		}
	}
}

// The build file is looked for in the context, and the context is served only
// where a lock is read from it.
func TestTheContextIsServedForALock(t *testing.T) {
	t.Parallel()
	const file = `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {version: 3.39.0}
runtimes:
  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415
    node: public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "samforge.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := map[string]string{"SAMFORGE_SERVERLESS_LOCK": "package-lock.json"}
	for name, c := range map[string]struct {
		opt    Options
		served bool
	}{
		"no lock":              {Options{Context: dir}, false},
		"a lock":               {Options{Context: dir, BuildArgs: lock}, true},
		"a lock in an archive": {Options{File: filepath.Join(dir, "samforge.yaml"), Context: "https://files.example.com/context.tgz", BuildArgs: lock}, false},
	} {
		c.opt.Progress, c.opt.Stderr = "plain", io.Discard
		r, err := prepare(c.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, served := r.contexts.mounts[localContext]; served != c.served {
			t.Errorf("%s: served is %v, want %v", name, served, c.served)
		}
	}
}

func TestAFrontendIsToldOfAContextElsewhere(t *testing.T) {
	t.Parallel()
	attrs := mainContext{address: "https://files.example.com/context.tgz"}.attrs()
	if attrs["context"] != "https://files.example.com/context.tgz" || attrs["dockerfilekey"] != "dockerfile" {
		t.Errorf("the attributes are %v", attrs)
	}
	if attrs := (mainContext{folder: "."}).attrs(); len(attrs) > 0 {
		t.Errorf("the attributes of a folder are %v", attrs)
	}
}

func TestNamedContexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(empty.Image); err != nil {
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
		"a git repository":              {"files=git@example.com:a/b", "files", "git@example.com:a/b"},
		"the name of an image":          {"docker.io/library/docker:28-cli=docker-image://x", "docker:28-cli", "docker-image://x"},
		"latest is left out of a name":  {"docker:latest=docker-image://x", "docker", "docker-image://x"},
		"an OCI layout with one image":  {"files=oci-layout://" + string(path), "files", "oci-layout://layout-0@" + digest.String()},
		"an OCI layout and a digest":    {"files=oci-layout://" + string(path) + "@" + digest.String(), "files", "oci-layout://layout-0@" + digest.String()},
	} {
		contexts, err := namedContexts([]string{c.value})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := contexts.attrs[c.key]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestNamedContextsThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ value, want string }{
		"no source":              {"files", "NAME=SOURCE"},
		"an empty name":          {"=" + dir, "NAME=SOURCE"},
		"a token in the address": {"files=https://hunter2@example.com/a.git", "--build-context files: the context https://xxxxxxx@example.com/a.git has a user or a password"},
		"an illegal name":        {"UPPER CASE=" + dir, "not a name"},
		"a folder that is not":   {"files=" + dir + "/missing", "no such file"},
		"a file":                 {"files=" + file, "not a folder"},
		"a layout without index": {"files=oci-layout://" + dir + "/empty", "OCI layout"},
	} {
		_, err := namedContexts([]string{c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that tells %q", name, err, c.want)
		}
	}
}
