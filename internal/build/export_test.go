package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/project"
)

func oneImage() project.Target {
	return project.Target{
		Name:      "java21",
		Platforms: []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}},
		Refs:      []string{"registry.example.com/ci/sam:1", "registry.example.com/ci/sam:2"},
	}
}

func TestExports(t *testing.T) {
	t.Parallel()
	const names = "registry.example.com/ci/sam:1,registry.example.com/ci/sam:2"
	for name, c := range map[string]struct {
		opt             Options
		several, engine bool
		wantType        string
		wantAttrs       map[string]string
	}{
		"without an output the image is assembled": {Options{}, false, false, "image", map[string]string{"push": "false", "name": names}},
		"--push":                                  {Options{Push: true}, false, false, "image", map[string]string{"push": "true", "name": names}},
		"type=registry is a push":                 {Options{Outputs: []string{"type=registry"}}, false, false, "image", map[string]string{"push": "true", "name": names}},
		"a name that the user gives stays":        {Options{Outputs: []string{"type=image,name=a:1"}}, false, false, "image", map[string]string{"name": "a:1"}},
		"the Docker engine stores what is pushed": {Options{Push: true}, false, true, "moby", map[string]string{"name": names}},
		"the Docker engine stores what is loaded": {Options{Load: true}, false, true, "moby", map[string]string{"name": names}},
		"blanks around the keys of an output":     {Options{Outputs: []string{"type=image, Name=a:1, push=true"}}, false, false, "image", map[string]string{"name": "a:1", "push": "true"}},
		"annotations of one platform": {Options{Push: true, Settings: project.Settings{Annotations: []string{"manifest[linux/amd64],index:a=1"}}}, false, false, "image",
			map[string]string{"annotation-manifest[linux/amd64].a": "1", "annotation-index.a": "1"}},
		"annotations go to the manifest": {Options{Push: true, Settings: project.Settings{Annotations: []string{"a=1", "index:b=2"}}}, false, false, "image", map[string]string{"annotation-manifest.a": "1", "annotation-index.b": "2"}},
	} {
		entries, err := exports(c.opt, oneImage(), c.several, c.engine)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %v, %v", name, entries, err)
			continue
		}
		if entries[0].Type != c.wantType {
			t.Errorf("%s: the type is %s, want %s", name, entries[0].Type, c.wantType)
		}
		for key, want := range c.wantAttrs {
			if entries[0].Attrs[key] != want {
				t.Errorf("%s: %s is %q, want %q (%v)", name, key, entries[0].Attrs[key], want, entries[0].Attrs)
			}
		}
	}
}

func TestOutputsOfSeveralImages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		output, dest, want string // want: part of the error
	}{
		"a folder gets a folder for each": {output: dir, dest: filepath.Join(dir, "java21")},
		"an OCI layout too":               {output: "type=oci,tar=false,dest=" + dir, dest: filepath.Join(dir, "java21")},
		"a file cannot hold several":      {output: "type=oci,dest=" + dir + "/x.tar", want: "choose one with --target"},
		"standard output neither":         {output: "-", want: "choose one with --target"},
	} {
		entries, err := exports(Options{Outputs: []string{c.output}}, oneImage(), true, false)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case entries[0].OutputDir != c.dest:
			t.Errorf("%s: the folder is %s, want %s", name, entries[0].OutputDir, c.dest)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.tar")); err == nil {
		t.Error("a refused output left a file behind")
	}
}

func TestExportsThatCannotBe(t *testing.T) {
	t.Parallel()
	several := oneImage()
	several.Platforms = append(several.Platforms, ocispecs.Platform{OS: "linux", Architecture: "arm64"})
	for name, c := range map[string]struct {
		image project.Target
		opt   Options
		want  string
	}{
		"loading an index":                      {several, Options{Load: true}, "--load takes one platform"},
		"an annotation without value":           {oneImage(), Options{Push: true, Settings: project.Settings{Annotations: []string{"a"}}}, "KEY=VALUE"},
		"an annotation of an unknown type":      {oneImage(), Options{Push: true, Settings: project.Settings{Annotations: []string{"layer:a=1"}}}, `unknown type "layer"`},
		"an annotation of a malformed platform": {oneImage(), Options{Push: true, Settings: project.Settings{Annotations: []string{"manifest[a/b/c/d/e]:a=1"}}}, "--annotation"},
		"a file for an image":                   {oneImage(), Options{Outputs: []string{"type=image,dest=x"}}, "leave dest out"},
		"a folder in place of a file":           {oneImage(), Options{Outputs: []string{"type=oci,dest=" + t.TempDir()}}, "is a folder"},
		"an output without a type":              {oneImage(), Options{Outputs: []string{"dest=x"}}, "--output"},
	} {
		_, err := exports(c.opt, c.image, false, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
		}
	}
}

// The summary for programs and an archive do not share standard output.
func TestSummaryBesideAnArchive(t *testing.T) {
	t.Parallel()
	targets := []project.Target{oneImage()}
	for output, want := range map[string]bool{"type=oci,dest=-": true, "-": true, "type=oci,dest=x.tar": false} {
		err := check(Options{Outputs: []string{output}, Summary: SummaryJSON}, &project.Project{}, targets)
		if got := err != nil && strings.Contains(err.Error(), "--summary json"); got != want {
			t.Errorf("%s: %v", output, err)
		}
	}
}

// What went to standard output is not written twice.
func TestOnce(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"-": true, "type=oci": true, "type=docker,dest=-": true,
		"type=oci,dest=a.tar": false, "type=tar,dest=a.tar": false, "type=local,dest=a": false, "a": false, "type=image,push=true": false, "type=oci,tar=false,dest=a": false,
	} {
		if got := once([]string{"type=image", value}); got != want {
			t.Errorf("%s: got %t", value, got)
		}
	}
}
