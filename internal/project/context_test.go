package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		want Context
	}{
		"without a build file the current folder": {Options{}, Context{Folder: "."}},
		"with standard input the current folder":  {Options{File: "-"}, Context{Folder: "."}},
		"the folder of the build file":            {Options{File: file}, Context{Folder: dir}},
		"a folder on the command line":            {Options{File: "elsewhere/samforge.yaml", Context: dir}, Context{Folder: dir}},
		"a git repository":                        {Options{File: file, Context: git}, Context{Address: git}},
		"a git repository as git writes it":       {Options{File: "-", Context: "git@git.example.com:ci/images"}, Context{Address: "git@git.example.com:ci/images"}},
		"an archive":                              {Options{File: file, Context: archive}, Context{Address: archive}},
	} {
		if got, err := readContext(c.opt); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"a file":                       {Options{Context: file}, "is a file: name a folder, and the build file with --file"},
		"a folder that does not exist": {Options{Context: dir + "/missing"}, "is no folder, and no address"},
		"standard input":               {Options{Context: "-"}, "is no folder, and no address"},
		"a token in the address": {
			Options{File: file, Context: "https://hunter2@git.example.com/ci/images.git"},
			"https://xxxxxxx@git.example.com/ci/images.git has a user or a password in its address, which would be recorded with the image: leave it out; for a git repository pass the token with --secret id=GIT_AUTH_TOKEN,env=NAME; for an archive the Authorization header with --secret id=HTTP_AUTH_HEADER_git.example.com,env=NAME",
		},
		"an address and no build file": {Options{Context: git}, "is not on this machine, where the build file is read"},
	} {
		if _, err := readContext(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
		}
	}
}

func TestAFrontendIsToldOfAContextElsewhere(t *testing.T) {
	t.Parallel()
	attrs := Context{Address: "https://files.example.com/context.tgz"}.Attrs()
	if attrs["context"] != "https://files.example.com/context.tgz" || attrs["dockerfilekey"] != "dockerfile" {
		t.Errorf("the attributes are %v", attrs)
	}
	if attrs := (Context{Folder: "."}).Attrs(); len(attrs) > 0 {
		t.Errorf("the attributes of a folder are %v", attrs)
	}
}

func TestNamedContexts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct{ value, name, source string }{
		"a folder":             {"files=" + dir, "files", dir},
		"an image":             {"files=docker-image://alpine:3", "files", "docker-image://alpine:3"},
		"a git repository":     {"files=git@example.com:a/b", "files", "git@example.com:a/b"},
		"the name of an image": {"docker.io/library/docker:28-cli=docker-image://x", "docker:28-cli", "docker-image://x"},
		"a name loses :latest": {"docker:latest=docker-image://x", "docker", "docker-image://x"},
	} {
		contexts, err := namedContexts([]string{c.value})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := (NamedContext{c.name, c.source}); contexts[0] != want {
			t.Errorf("%s: %+v, want %+v", name, contexts[0], want)
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
		"no source":                    {"files", "NAME=SOURCE"},
		"an empty name":                {"=" + dir, "NAME=SOURCE"},
		"a token in the address":       {"files=https://hunter2@example.com/a.git", "the context https://xxxxxxx@example.com/a.git has a user or a password"},
		"an illegal name":              {"UPPER CASE=" + dir, "not a name"},
		"a folder that does not exist": {"files=" + dir + "/missing", "no such file"},
		"a file":                       {"files=" + file, "not a folder"},
	} {
		_, err := namedContexts([]string{c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
		}
	}
}
