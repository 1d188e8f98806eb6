package scaffold_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/samtemplate"
)

func application(runtimes ...string) scaffold.Answers {
	return scaffold.Answers{Kind: scaffold.Application, Runtimes: runtimes}
}

// An application is a template with one function, whose files are where the template says.
func TestApplications(t *testing.T) {
	t.Parallel()
	for runtime, want := range map[string]struct{ image, code string }{
		"nodejs24.x":      {"public.ecr.aws/lambda/nodejs:24", "app.mjs"},
		"python3.13":      {"public.ecr.aws/lambda/python:3.13", "app.py"},
		"provided.al2023": {"public.ecr.aws/lambda/provided:al2023", "main.go"},
	} {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "template.yaml")
			var said bytes.Buffer
			if err := scaffold.Init(t.Context(), scaffold.Options{Answers: application(runtime), Path: path, Stderr: &said}); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			template, err := samtemplate.Load(samtemplate.File{Name: path, Data: data}, samtemplate.Options{})
			if err != nil || len(template.Functions) != 1 {
				t.Fatalf("%v\n%s", err, data)
			}
			folder := template.Functions[0].ContextDir
			dockerfile, err := os.ReadFile(filepath.Join(folder, template.Functions[0].Dockerfile.Reveal()))
			if err != nil || !strings.Contains(string(dockerfile), "FROM "+want.image+"\n") || strings.Contains(string(dockerfile), "{{") {
				t.Errorf("%v\n%s", err, dockerfile)
			}
			for _, name := range []string{".dockerignore", want.code} {
				if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
					t.Error(err)
				}
			}
			if !strings.HasSuffix(said.String(), "Now run samforge invoke -t "+path+", and samforge package -t "+path+" --image-repository REPOSITORY.\n") {
				t.Errorf("it says\n%s", said.String())
			}
		})
	}
}

// The commands in a template name it, if samforge does not find it by itself.
func TestApplicationOfAnotherName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.yaml")
	answers := application("nodejs24.x")
	answers.Repo = "registry.example.com/app"
	if err := scaffold.Init(t.Context(), scaffold.Options{Answers: answers, Path: path, Stderr: io.Discard}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	for _, want := range []string{"#   samforge check -f app.yaml\n", "#   samforge package --template-file app.yaml --image-repository registry.example.com/app --output"} {
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%v: %q is not in\n%s", err, want, data)
		}
	}
}

func TestMistakesAboutApplications(t *testing.T) {
	t.Parallel()
	with := func(change func(a *scaffold.Answers)) scaffold.Answers {
		answers := application("nodejs24.x")
		change(&answers)
		return answers
	}
	for want, answers := range map[string]scaffold.Answers{
		"missing: --runtime": application(),
		"--runtime: an application begins with one function":                             application("nodejs24.x", "python3.13"),
		"--runtime java21: a function can be written for nodejs24.x, nodejs22.x, python": application("java21"),
		"--runtime python3.8: a function can be written for":                             application("python3.8"),
		"--plugin is not for an application":                                             with(func(a *scaffold.Answers) { a.Plugin = "harness/plugin:1" }),
		"--node is not for an application":                                               with(func(a *scaffold.Answers) { a.Nodes = []string{node20} }),
	} {
		dir := t.TempDir()
		err := scaffold.Init(t.Context(), scaffold.Options{Answers: answers, Path: filepath.Join(dir, "template.yaml"), Stderr: io.Discard})
		var input *scaffold.InputError
		if !errors.As(err, &input) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: something was written: %v", want, entries)
		}
	}
	if err := scaffold.Init(t.Context(), scaffold.Options{Answers: application("nodejs24.x"), Path: "-"}); err == nil || !strings.Contains(err.Error(), "several files") {
		t.Errorf("standard output: %v", err)
	}
}

// A file that is there stays, and then nothing is written; with Force all are replaced.
func TestFilesOfAnApplicationStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opt := scaffold.Options{Answers: application("python3.13"), Path: filepath.Join(dir, "template.yaml"), Stderr: io.Discard}
	code := filepath.Join(dir, "hello/app.py")
	if err := errors.Join(os.Mkdir(filepath.Dir(code), 0o755), os.WriteFile(code, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Init(t.Context(), opt); err == nil || !strings.HasPrefix(err.Error(), code+" already exists: --force replaces it") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("something was written: %v", entries)
	}
	opt.Force = true
	if err := scaffold.Init(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(code); err != nil || !strings.Contains(string(data), "def handler") {
		t.Errorf("%v\n%s", err, data)
	}
}

// On a terminal an application is one of the answers to the first question, and its runtime is asked
// for.
func TestQuestionsAboutAnApplication(t *testing.T) {
	t.Parallel()
	for answers, want := range map[string]string{
		"application\n\n": "lambda/nodejs:24\n",
		"lambda\napplication\njava21\nprovided.al2023\n":         "lambda/provided:al2023\n",
		"application\npublic.ecr.aws/lambda/a:1\npython3.13\n\n": "lambda/python:3.13\n",
	} {
		dir := t.TempDir()
		var asked bytes.Buffer
		err := scaffold.Init(t.Context(), scaffold.Options{
			Path: filepath.Join(dir, "template.yaml"), Ask: true, Stdin: strings.NewReader(answers), Stderr: &asked,
		})
		data, readErr := os.ReadFile(filepath.Join(dir, "hello/Dockerfile"))
		if err := errors.Join(err, readErr); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%q: %v\n%s\n%s", answers, err, asked.String(), data)
		}
	}
}
