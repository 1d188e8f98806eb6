package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
)

// Files that cannot be written are refused before anything is built, and the check leaves nothing
// behind.
func TestCheckFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"a new file":                   {filepath.Join(dir, "metadata.json"), ""},
		"a folder that does not exist": {filepath.Join(dir, "missing", "metadata.json"), "no such file"},
		"a folder":                     {dir, "directory"},
		"a symbolic link":              {link, "symbolic link"},
	} {
		err := checkFiles(Options{MetadataFile: c.path})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--metadata-file "+c.path)) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the check left %v, %v", entries, err)
	}
}

// The metadata includes the images that --skip-existing left out.
func TestMetadataOfSkippedImages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opt := Options{MetadataFile: filepath.Join(dir, "metadata.json"), IIDFile: filepath.Join(dir, "iid")}
	r := &report{opt: opt, built: []Built{skipped(project.Target{Name: "java21", Refs: []string{"r/a:1", "r/a:2"}}, []Ref{{"r/a:1", "sha256:ab"}})}}
	if err := r.writeFiles(); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "containerimage.digest": "sha256:ab",
  "image.name": "r/a:1,r/a:2"
}`
	if data, err := os.ReadFile(opt.MetadataFile); err != nil || string(data) != want {
		t.Errorf("the metadata is %s, %v, want %s", data, err, want)
	}
	if data, err := os.ReadFile(opt.IIDFile); err != nil || string(data) != "sha256:ab" {
		t.Errorf("the image ID is %s, %v", data, err)
	}
}

func TestNoCacheFilterNamesTargets(t *testing.T) {
	t.Parallel()
	targets := []project.Target{{Name: "python3.12-base", Entry: "python3.12", Groups: []string{"python3.12", "base"}}}
	for name, want := range map[string]string{ // part of the error; empty: none
		"python3.12-base": "", "python3.12": "", "base": "",
		"foo":             "--no-cache-filter foo: no target that is built has this name (targets: python3.12-base)",
		"python3.12-bsae": `did you mean "python3.12-base"?`,
	} {
		err := checkNoCache(Options{NoCacheFilter: []string{name}}, targets)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v, want %q", name, err, want)
		}
	}
}
