package reader

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/project"
)

// FuzzRead: whatever the bake file is, there are images, each with what its contexts link to, or a
// mistake.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"target \"default\" {\n context = \".\"\n tags = [\"a/b:1\"]\n contexts = {base = \"target:base\"}\n}\ntarget \"base\" { dockerfile-inline = \"FROM scratch\" }\n",
		"group \"default\" { targets = [\"a\", \"b\"] }\ntarget \"a\" { output = [\"type=docker\"] }\ntarget \"b\" { inherits = [\"a\"]\n platforms = [\"linux/arm64\"]\n args = {A = upper(\"b\")}\n}\n",
		"variable \"T\" { default = \"1\" }\ntarget \"default\" { matrix = {v = [\"1\", \"2\"]}\n name = \"x-${v}\"\n tags = [\"a:${T}-${v}\"]\n secret = [\"id=a,env=B\"]\n ssh = [\"default\"]\n}\n",
		"target \"default\" { entitlements = [\"security.insecure\"] }\n", "target \"default\" { call = \"check\"\n ulimits = [\"nofile=1:2\"]\n shm-size = \"1g\"\n extra-hosts = {a = \"1.2.3.4\"}\n}\n", "target \"default\" {", "",
		"target \"default\" { cache-to = [\"type=inline\"]\n attest = [\"type=sbom\"]\n output = [\"type=registry\"]\n no-cache-filter = [\"x\"]\n}\n",
	} {
		f.Add([]byte(seed), "docker-bake.hcl")
	}
	f.Add([]byte(`{"target": {"default": {"context": "a", "tags": ["b:1"]}}}`), "docker-bake.json")
	f.Add([]byte("services:\n  a:\n    image: b:1\n    build: {context: ., args: {A: b}}\n"), "compose.yaml")
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if !slices.Contains([]string{"docker-bake.hcl", "docker-bake.json", "compose.yaml"}, name) {
			t.Skip("no name of a bake file")
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		images, err := Read(t.Context(), bakefile.Definition{Files: []string{path}, Note: func(string) {}})
		if err != nil {
			if err.Error() == "" {
				t.Error("a mistake without words")
			}
			return
		}
		for _, image := range images {
			if image.Name == "" || !image.NoPush && !image.Linked && len(image.Refs) == 0 {
				t.Errorf("%+v", image)
			}
			for _, link := range image.Links {
				if !slices.ContainsFunc(images, func(other project.Dockerfile) bool { return other.Name == link }) {
					t.Errorf("%s links to %s, which is no image", image.Name, link)
				}
			}
		}
	})
}
