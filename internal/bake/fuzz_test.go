package bake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/bakefile/reader"
)

// FuzzLiteral: a text that is written into a bake file is read as it is.
func FuzzLiteral(f *testing.F) {
	for _, seed := range []string{"${A}", "%{if a}", "$${", "%%{", "$", "a\"b\\", "\u2028", "${upper(\"a\")}", "$$${", "~}", "%{~", "\x00"} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "docker-bake.json")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text || text == "" {
			t.Skip("JSON has no such texts")
		}
		target := bakeTarget{Context: ".", DockerfileInline: text, Target: text, Args: map[string]string{"A": text}, Labels: map[string]string{"l": text}}
		data, err := json.Marshal(bakeFile{Group: map[string]bakeGroup{everything: {[]string{"a"}}}, Target: map[string]bakeTarget{"a": target.literal()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		images, err := reader.Read(t.Context(), bakefile.Definition{Files: []string{path}})
		if err != nil || len(images) != 1 {
			t.Fatalf("%s: %v", data, err)
		}
		if got := images[0]; got.Text != text || got.Stage != text || got.Args["A"] != text || got.Own.Labels["l"] != text {
			t.Errorf("%q is read as %q, %q, %q, %q", text, got.Text, got.Stage, got.Args["A"], got.Own.Labels["l"])
		}
	})
}
