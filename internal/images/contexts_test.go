package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

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
		"a folder":                     {"files=" + dir, "files", "local:files"},
		"an image":                     {"files=docker-image://alpine:3", "files", "docker-image://alpine:3"},
		"a git repository":             {"files=git@example.com:a/b", "files", "git@example.com:a/b"},
		"the name of an image":         {"docker.io/library/docker:28-cli=docker-image://x", "docker:28-cli", "docker-image://x"},
		"latest is left out of a name": {"docker:latest=docker-image://x", "docker", "docker-image://x"},
		"an OCI layout with one image": {"files=oci-layout://" + string(path), "files", "oci-layout://layout-0@" + digest.String()},
		"an OCI layout and a digest":   {"files=oci-layout://" + string(path) + "@" + digest.String(), "files", "oci-layout://layout-0@" + digest.String()},
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
