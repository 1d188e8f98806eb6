package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where there is no build file, the commands about its lock say who writes one, or which file may be meant.
func TestLockWithoutABuildFile(t *testing.T) {
	for file, want := range map[string]string{"": "samforge init writes one", "samforge.yml": "name samforge.yml with --file"} {
		t.Chdir(t.TempDir())
		if file != "" {
			if err := os.WriteFile(filepath.Join(".", file), []byte("kind: sam\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, verb := range []string{"lock", "outdated"} {
			if _, err := execute(verb); codeOf(err) != exitInput || !strings.Contains(err.Error(), "there is no samforge.yaml in this folder: "+want) {
				t.Errorf("samforge %s beside %q: %v", verb, file, err)
			}
		}
	}
}

// A template has no repo key to set.
func TestPushOfATemplateWithoutARepository(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"template.yaml": oneFunction, "Dockerfile": "FROM scratch\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := execute("build", "--push"); codeOf(err) != exitInput || !strings.Contains(err.Error(), "name it with --repo, or one function's image with --target and --tag") {
		t.Errorf("samforge build --push: %v", err)
	}
}

// Commands about SAM templates take the template, also beside a samforge.yaml, and name what writes one.
func TestCommandsThatNeedATemplate(t *testing.T) {
	commands := []string{"invoke Nope", "start-api --port 0 --builder tcp://127.0.0.1:1", "package --image-repository registry.example.com/a"}
	t.Chdir(t.TempDir())
	for _, line := range commands {
		_, err := execute(strings.Fields(line)...)
		if codeOf(err) != exitInput || !strings.Contains(err.Error(), "name a SAM template with --template-file (samforge init --kind application writes one)") {
			t.Errorf("samforge %s in an empty folder: %v", line, err)
		}
	}
	for name, text := range map[string]string{"samforge.yaml": checkFile, "template.yaml": "Resources: {}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range commands {
		if _, err := execute(strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), "PackageType Image, and Metadata") {
			t.Errorf("samforge %s beside a samforge.yaml: %v", line, err)
		}
	}
}
