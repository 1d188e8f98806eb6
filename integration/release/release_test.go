// Package release tests that what make release makes can be installed.
package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/integration/testenv"
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

// built are samforge and samforge-bake, compiled once for all tests.
var built = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "samforge-release-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := testenv.BuildSamforge(dir); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range []string{"samforge", "samforge-bake"} {
		if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// pack makes an archive of the programs, named as goreleaser names it.
func pack(t *testing.T, name string, programs map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if strings.HasSuffix(name, ".zip") {
		files := zip.NewWriter(&out)
		for program, content := range programs {
			f, err := files.Create(program + ".exe")
			must(t, err)
			_, err = f.Write(content[:1024]) // no test runs it
			must(t, err)
		}
		must(t, files.Close())
		return out.Bytes()
	}
	compressed, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	must(t, err)
	files := tar.NewWriter(compressed)
	programs = map[string][]byte{"samforge": programs["samforge"], "samforge-bake": programs["samforge-bake"], "man/samforge.1.gz": nil}
	for program, content := range programs {
		must(t, files.WriteHeader(&tar.Header{Name: program, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}))
		_, err := files.Write(content)
		must(t, err)
	}
	must(t, files.Close())
	must(t, compressed.Close())
	return out.Bytes()
}

// releases serves a release v1.2.3 as GitHub does, and it as the latest one.
func releases(t *testing.T) (address string, files map[string][]byte) {
	t.Helper()
	c := readConfig(t)
	programs, err := built()
	must(t, err)
	script, err := os.ReadFile(filepath.Join(repository, "install.sh"))
	must(t, err)
	files = map[string][]byte{"install.sh": script}
	for _, target := range c.Builds[0].Targets {
		goos, goarch, _ := strings.Cut(target, "_")
		name := c.archive(t, goos, goarch)
		files[name] = []byte(name) // no test unpacks it
		if goarch == "amd64" && goos != "darwin" {
			files[name] = pack(t, name, programs)
		}
	}
	var sums strings.Builder
	for name, content := range files {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), name)
	}
	files[c.Checksum.NameTemplate] = []byte(sums.String())
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
