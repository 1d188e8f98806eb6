package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "images.yaml")
	args := []string{
		"init", "-f", path, "--kind", "serverless", "--plugin", "harness/serverless-plugin:1.1.0-beta-base-image", "--plugin-version", "1.1.0-beta",
		"--repo", "registry.example.com/ci/serverless-plugin",
		"--runtime", "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415",
		"--runtime", "public.ecr.aws/sam/build-java21:1.143.0-20250822194412",
		"--node", "public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712",
	}
	if _, err := execute(args...); err != nil {
		t.Fatal(err)
	}
	out, err := execute("check", "-f", path)
	if code := codeOf(err); code == exitInput || strings.Contains(out, "ERROR") {
		t.Errorf("samforge check of the file: %v\n%s", err, out)
	}
	written, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := execute(args...); codeOf(err) != exitInput || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := execute(append(args, "--force")...); err != nil {
		t.Errorf("with --force: %v", err)
	}
	if again, err := os.Stat(path); err != nil || os.SameFile(written, again) {
		t.Errorf("--force wrote no other file: %v", err)
	}
}

func TestInitWithoutATerminalNamesWhatIsMissing(t *testing.T) {
	_, err := execute("init", "-f", "-", "--kind", "sam", "--repo", "acme/Upper")
	if codeOf(err) != exitInput {
		t.Errorf("exit code %d, want %d", codeOf(err), exitInput)
	}
	for _, want := range []string{"missing: --plugin, --plugin-version, --runtime\n", "--repo: ", "samforge init --help"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// What init writes for an application is right, without findings, and its plan can be made.
func TestInitOfAnApplication(t *testing.T) {
	// No registry is asked for the image that compiles Go: it may not be in reach.
	nowhere := []string{"--build-context", "golang:1.26=docker-image://127.0.0.1:1/golang:1.26"}
	for _, runtime := range []string{"nodejs24.x", "python3.13", "provided.al2023"} {
		path := filepath.Join(t.TempDir(), "template.yaml")
		if _, err := execute("init", "--kind", "application", "--runtime", runtime, "-f", path); err != nil {
			t.Fatal(err)
		}
		out, err := execute(append([]string{"check", "-f", path}, nowhere...)...)
		if err != nil || out != "Check complete, no warnings found.\n" {
			t.Errorf("samforge check for %s: %v\n%s", runtime, err, out)
		}
	}
}

// A template that is there is a build file as it is, unless a flag says what else is wanted.
func TestInitBesideATemplate(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("template.yaml", []byte("Resources: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := newRoot()
	var said strings.Builder
	root.SetErr(&said)
	root.SetArgs([]string{"init"})
	if err := root.Execute(); err != nil || !strings.HasPrefix(said.String(), "template.yaml is a SAM template, and a build file as it is: samforge check, samforge build") {
		t.Errorf("%v\n%s", err, said.String())
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	if _, err := execute("init", "--kind", "application", "--runtime", "nodejs24.x"); codeOf(err) != exitInput || !strings.Contains(err.Error(), "template.yaml already exists") {
		t.Errorf("with a kind: %v", err)
	}
}

// Files of the Serverless Framework say what no flag does; with a template beside them, init asks for
// the kind.
func TestInitBesideAServerlessService(t *testing.T) {
	t.Chdir(t.TempDir())
	const service = "frameworkVersion: 3.39.0\nprovider: {name: aws, runtime: nodejs22.x}\n"
	if err := os.WriteFile("serverless.yml", []byte(service), 0o600); err != nil {
		t.Fatal(err)
	}
	base := "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138"
	args := []string{"init", "--plugin", "harness/serverless-plugin:1.1.0-beta-base-image", "--plugin-version", "1.1.0-beta", "--runtime", base}
	if _, err := execute(args...); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("samforge.yaml")
	for _, want := range []string{"kind: serverless\n", "  - image: " + base + "\n    node: " + base + "\n", "  version: 3.39.0\n"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: %q is not in\n%s", err, want, text)
		}
	}
	if out, err := execute("check"); codeOf(err) == exitInput || strings.Contains(out, "ERROR") {
		t.Errorf("samforge check of the file: %v\n%s", err, out)
	}
	if err := os.Remove("samforge.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("template.yaml", []byte("Resources: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "this folder has files of several kinds: serverless.yml (--kind serverless), template.yaml (a SAM template"
	if _, err := execute("init"); codeOf(err) != exitInput || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("beside a template: %v", err)
	}
}

// A runtime's name after --node becomes its image, as after --runtime.
func TestInitWithTheNameOfANode(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := execute("init", "--kind", "serverless", "--plugin", "harness/serverless-plugin:1.1.0-beta-base-image", "--plugin-version", "1.1.0-beta",
		"--runtime", "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415", "--node", "nodejs22.x")
	text, readErr := os.ReadFile("samforge.yaml")
	if err != nil || readErr != nil || !strings.Contains(string(text), "    node: public.ecr.aws/lambda/nodejs:22.") {
		t.Errorf("%v, %v\n%s", err, readErr, text)
	}
}
