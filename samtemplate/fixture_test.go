package samtemplate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// files are the files of an application, by name.
type files map[string]string

func (f files) read(name string) (samtemplate.File, error) {
	data, ok := f[name]
	if !ok {
		return samtemplate.File{}, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return samtemplate.File{Name: name, Data: []byte(data)}, nil
}

func (f files) has(name string) bool {
	_, ok := f[name]
	return ok
}

// options are those to read an application with.
func (f files) options() samtemplate.Options {
	return samtemplate.Options{ReadTemplate: f.read, IsFile: f.has}
}

// load reads the application whose root is template.yaml.
func (f files) load() (*samtemplate.Template, error) {
	file, err := f.read("template.yaml")
	if err != nil {
		return nil, err
	}
	return samtemplate.Load(file, f.options())
}

// mustLoad reads a template that has no mistakes.
func mustLoad(t *testing.T, template string, parameters map[string]string) *samtemplate.Template {
	t.Helper()
	read, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(template)}, samtemplate.Options{Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// summaries returns the mistakes of an error, each on a line.
func summaries(t *testing.T, err error) string {
	t.Helper()
	var mistakes source.Diagnostics
	if err != nil && !errors.As(err, &mistakes) {
		t.Fatalf("%T is no list of mistakes: %v", err, err)
	}
	var lines []string
	for _, mistake := range mistakes {
		lines = append(lines, mistake.Summary())
	}
	return strings.Join(lines, "\n")
}

const templatesDir = "testdata/templates"

// loadTestdata reads a template of testdata, after change if there is one.
func loadTestdata(t testing.TB, name string, change func(string) string) *samtemplate.Template {
	t.Helper()
	read := func(name string) (samtemplate.File, error) {
		data, err := os.ReadFile(path.Join(templatesDir, name))
		if change != nil {
			data = []byte(change(string(data)))
		}
		return samtemplate.File{Name: name, Data: data}, err
	}
	file, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	template, err := samtemplate.Load(file, samtemplate.Options{ReadTemplate: read})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// templates returns the names of the templates of testdata.
func templates(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(templatesDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		t.Fatal("there are no templates")
	}
	return names
}

// function returns the function of that path.
func function(t *testing.T, template *samtemplate.Template, path string) *samtemplate.Function {
	t.Helper()
	for _, f := range template.AllFunctions() {
		if f.Path == path {
			return f
		}
	}
	t.Fatalf("there is no function %s", path)
	return nil
}
