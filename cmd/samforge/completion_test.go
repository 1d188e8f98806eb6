package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/llbgen"
)

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out, err := execute("completion", shell)
		if err != nil || !strings.Contains(out, "samforge") || !strings.Contains(out, "__complete") {
			t.Errorf("%s: %v\n%.200s", shell, err, out)
		}
	}
}

// complete returns the proposals for a command line whose last word is being typed, without the
// descriptions.
func complete(t *testing.T, words ...string) string {
	t.Helper()
	out, err := execute(append([]string{"__completeNoDesc"}, words...)...)
	if err != nil {
		t.Fatal(err)
	}
	values, directive, _ := strings.Cut(out, ":")
	if !strings.HasPrefix(directive, "4\n") {
		t.Errorf("%q: the shell also completes files: %s", words, out)
	}
	return strings.Join(strings.Fields(values), " ")
}

func TestFlagsAreCompleted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, llbgen.Filename)
	if err := os.WriteFile(file, []byte(checkFile), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("kind: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"build", "-f", file, "--target", ""}, "java17.al2023"},
		{[]string{"plan", dir, "--target", ""}, "java17.al2023"},
		{[]string{"build", "-f", file, "--no-cache-filter", "base,"}, "base,java17.al2023"},
		{[]string{"build", "-f", wrong, "--target", ""}, ""},
		{[]string{"build", "-f", "-", "--target", ""}, ""},
		{[]string{"bake", "--platform", ""}, "linux/amd64 linux/arm64"},
		{[]string{"lock", "--platform", "linux/arm64,"}, "linux/arm64,linux/amd64"},
		{[]string{"build", "--progress", ""}, "auto tty plain rawjson quiet"},
		{[]string{"check", "--verify", ""}, "static full off"},
		{[]string{"init", "--kind", ""}, strings.Join(llbgen.KindNames(), " ") + " application"},
		{[]string{"check", "--format", ""}, "text json"},
		{[]string{"runtimes", "--format", ""}, "table markdown json"},
		{[]string{"graph", "--format", ""}, "svg dot mermaid json"},
	} {
		if got := complete(t, test.words...); got != test.want {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
}

// The start of a value is completed without a space after it: the rest follows.
func TestStartsAreCompleted(t *testing.T) {
	for _, test := range []struct{ flag, typed, want string }{
		{"--build-arg", "HARNESS_B", "HARNESS_BASE_IMAGE=\n"},
		{"--output", "type=o", "type=oci\n"},
		{"--cache-to", "type=g", "type=gha\n"},
		{"--cache-from", "type=l", "type=local\n"},
	} {
		out, err := execute("__completeNoDesc", "build", test.flag, test.typed)
		if err != nil || !strings.Contains(out, test.want) || !strings.HasSuffix(out, ":6\n") {
			t.Errorf("%s %s: %v\n%s\nwant %s", test.flag, test.typed, err, out, test.want)
		}
	}
}

// graph writes a file in the format of its ending.
func TestGraphToFile(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/python:3.13")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for file, text := range map[string]string{
		"Dockerfile":    "FROM " + host + "/python:3.13\n",
		"template.yaml": "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: .}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{"a.svg": "<svg ", "a.dot": "digraph", "a.json": "{", "a": "<svg "} {
		out, err := execute("graph", "-o", file)
		picture, _ := os.ReadFile(file)
		if err != nil || out != "" || !strings.HasPrefix(string(picture), want) {
			t.Errorf("%s: %v\n%s%.40s", file, err, out, picture)
		}
	}
}
