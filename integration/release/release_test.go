// Package release tests that what make release makes can be installed.
package release

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"
)

const repository = "../.."

// config is what the tests need of .goreleaser.yaml.
type config struct {
	Builds []struct {
		Main, Binary string
		Targets      []string
	}
	Archives []struct {
		NameTemplate    string `yaml:"name_template"`
		Formats         []string
		FormatOverrides []struct {
			Goos    string
			Formats []string
		} `yaml:"format_overrides"`
	}
	Checksum struct {
		NameTemplate string                  `yaml:"name_template"`
		ExtraFiles   []struct{ Glob string } `yaml:"extra_files"`
	}
	Release struct {
		ExtraFiles []struct{ Glob string } `yaml:"extra_files"`
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	must(t, err)
	unmarshal(t, string(text), into)
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	must(t, yaml.Unmarshal([]byte(text), into))
}

func readConfig(t *testing.T) config {
	t.Helper()
	var c config
	readYAML(t, ".goreleaser.yaml", &c)
	return c
}

// archive returns the name that goreleaser gives an archive.
func (c config) archive(t *testing.T, goos, goarch string) string {
	t.Helper()
	parsed, err := template.New("").Parse(c.Archives[0].NameTemplate)
	must(t, err)
	var name strings.Builder
	must(t, parsed.Execute(&name, map[string]string{"Os": goos, "Arch": goarch}))
	format := c.Archives[0].Formats[0]
	for _, o := range c.Archives[0].FormatOverrides {
		if o.Goos == goos {
			format = o.Formats[0]
		}
	}
	return name.String() + "." + format
}

// releases serves what make release made as v1.2.3, as GitHub does, and as the latest one. The archives
// for other systems than Linux on amd64 have only the names of their programs.
func releases(t *testing.T) (address string, files map[string][]byte) {
	t.Helper()
	c := readConfig(t)
	files = map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(dist(t))) {
		content, err := os.ReadFile(dist(t)[name])
		must(t, err)
		files[name] = content
	}
	sums := string(files[c.Checksum.NameTemplate])
	for _, target := range c.Builds[0].Targets {
		goos, goarch, _ := strings.Cut(target, "_")
		if name := c.archive(t, goos, goarch); files[name] == nil {
			files[name] = standIn(t)
			sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name)
		}
	}
	files[c.Checksum.NameTemplate] = []byte(sums)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, folder := range []string{"/latest/download/", "/download/v1.2.3/"} {
			if content, ok := files[strings.TrimPrefix(r.URL.Path, folder)]; ok {
				_, _ = io.Copy(w, bytes.NewReader(content))
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, files
}

// standIn makes an archive for another system, whose programs no test runs.
func standIn(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	files := zip.NewWriter(&out)
	for _, program := range []string{"samforge.exe", "samforge-bake.exe"} {
		_, err := files.Create(program)
		must(t, err)
	}
	must(t, files.Close())
	return out.Bytes()
}

// What install.sh downloads is what a release has.
func TestReleasedFiles(t *testing.T) {
	t.Parallel()
	c := readConfig(t)
	if got := c.archive(t, "linux", "arm64"); got != "samforge_linux_arm64.tar.gz" {
		t.Errorf("the archive of Linux on arm64 is called %s", got)
	}
	if got := c.archive(t, "windows", "amd64"); got != "samforge_windows_amd64.zip" {
		t.Errorf("the archive of Windows on amd64 is called %s", got)
	}
	if c.Checksum.NameTemplate != "checksums.txt" {
		t.Errorf("the checksums are called %s, and install.sh wants checksums.txt", c.Checksum.NameTemplate)
	}
	script := struct{ Glob string }{"./install.sh"}
	if !slices.Contains(c.Checksum.ExtraFiles, script) || !slices.Contains(c.Release.ExtraFiles, script) {
		t.Error("install.sh is not in the release and its checksums")
	}
	for _, b := range c.Builds {
		if _, err := os.Stat(filepath.Join(repository, b.Main, "main.go")); err != nil {
			t.Errorf("%s: %v", b.Binary, err)
		}
	}
}
