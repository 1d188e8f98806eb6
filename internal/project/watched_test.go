package project

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/samforge/samforge/internal/watch"
)

// What a function is made from is its own; the templates are of all.
func TestWatched(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const fn = ": {Type: AWS::Serverless::Function, Properties: {PackageType: Image}, Metadata: {Dockerfile: ../docker/Dockerfile, DockerContext: "
	for name, text := range map[string]string{
		"template.yaml": "Resources:\n  One" + fn + "./one}}\n  Two" + fn + "./two}}\n  Child: {Type: AWS::Serverless::Application, Properties: {Location: child/template.yaml}}\n", "child/template.yaml": "Resources: {}\n",
		"docker/Dockerfile": "FROM scratch\nCOPY a /\n", "one/.dockerignore": "# not these\n*.md\n", "one/a": "", "two/a": "", "named/a": "", "named/.dockerignore": "b\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(t.Context(), Options{File: filepath.Join(dir, "template.yaml"), Targets: []string{"One"}, BuildContexts: []string{"named=" + filepath.Join(dir, "named")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Watched()
	if err != nil {
		t.Fatal(err)
	}
	at := func(name, of string) watch.Source { return watch.Source{Path: filepath.Join(dir, name), Of: of} }
	named, one := at("named", ""), at("one", "One")
	named.Folder, named.Ignore = true, []string{"b"}
	one.Folder, one.Ignore = true, []string{"*.md"}
	want := []watch.Source{
		at("template.lock", ""), at("template.yaml", ""), at("child/template.yaml", ""), at("named/.dockerignore", ""), named,
		at("docker/Dockerfile", "One"), at("docker/Dockerfile.dockerignore", "One"), at("one/.dockerignore", "One"), one,
	}
	same := func(a, b watch.Source) bool {
		return a.Path == b.Path && a.Of == b.Of && a.Folder == b.Folder && slices.Equal(a.Ignore, b.Ignore)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !slices.Equal(p.Functions(), []string{"One"}) {
		t.Errorf("the functions are %q", p.Functions())
	}
}
