package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// workDir is the folder of all tests: the release, and the keys that sign it.
var workDir string

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "samforge-release-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(workDir)
	os.Exit(code)
}

// onlyAMD64 is the file of goreleaser for Linux on amd64 alone, with the release in another folder.
func onlyAMD64(dist string) (string, error) {
	text, err := os.ReadFile(filepath.Join(repository, ".goreleaser.yaml"))
	if err != nil {
		return "", err
	}
	targets := regexp.MustCompile(`targets: \[[^]]*\]`)
	if n := len(targets.FindAll(text, -1)); n != 1 {
		return "", fmt.Errorf(".goreleaser.yaml lists its targets %d times", n)
	}
	file := dist + ".yaml"
	text = append(targets.ReplaceAll(text, []byte("targets: [linux_amd64]")), "dist: "+dist+"\n"...)
	return file, os.WriteFile(file, text, 0o644)
}

// made are the files of a release for Linux on amd64, by name, as make release makes and signs them,
// twice: the checksums must be the same.
var made = sync.OnceValues(func() (files map[string]string, err error) {
	key := filepath.Join(workDir, "cosign")
	run := func(args ...string) error {
		cmd := exec.Command("make", append([]string{"-C", repository}, args...)...)
		cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=of this test", "MAKEFLAGS=", "MAKELEVEL=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make %q: %w\n%s", args, err, out)
		}
		return nil
	}
	if err := run("signing-key", "COSIGN_KEY="+key+".key"); err != nil {
		return nil, err
	}
	var sums [][]byte
	for _, name := range []string{"first", "second"} {
		dist := filepath.Join(workDir, name)
		config, err := onlyAMD64(dist)
		if err != nil {
			return nil, err
		}
		if err := run("release", "CONFIG="+config, "COSIGN_KEY="+key+".key"); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
		if err != nil {
			return nil, err
		}
		sums = append(sums, text)
	}
	if lines := strings.SplitAfter(string(sums[1]), "\n"); !bytes.Equal(sums[0], sums[1]) {
		same := func(line string) bool { return bytes.Contains(sums[0], []byte(line)) }
		return nil, fmt.Errorf("two releases of one commit differ: the second has\n%s", slices.DeleteFunc(lines, same))
	}
	files = map[string]string{"checksums.txt": filepath.Join(workDir, "second", "checksums.txt"), "checksums.txt.sigstore.json": filepath.Join(workDir, "second", "checksums.txt.sigstore.json")}
	for line := range strings.Lines(string(sums[1])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		file := filepath.Join(workDir, "second", name)
		if name == "install.sh" {
			file = filepath.Join(repository, name)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != sum {
			return nil, fmt.Errorf("%s has the checksum %s, and checksums.txt says %s", name, got, sum)
		}
		files[name] = file
	}
	return files, nil
})

// dist returns what is released for Linux on amd64, by name.
func dist(t *testing.T) map[string]string {
	t.Helper()
	files, err := made()
	must(t, err)
	return files
}

// A release has these files and no others, two make the same, and the signature is that of the
// checksums as they are released.
func TestRelease(t *testing.T) {
	t.Parallel()
	files := dist(t)
	want := []string{
		"checksums.txt", "checksums.txt.sigstore.json", "install.sh", "samforge-bake_linux_amd64.cdx.json", "samforge_linux_amd64.apk",
		"samforge_linux_amd64.cdx.json", "samforge_linux_amd64.deb", "samforge_linux_amd64.rpm", "samforge_linux_amd64.tar.gz",
	}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("released are %q, want %q", got, want)
	}
	verify := func(file string) error {
		out, err := exec.CommandContext(t.Context(), repository+"/bin/cosign", "verify-blob", "--key", workDir+"/cosign.pub",
			"--insecure-ignore-tlog", "--bundle", files["checksums.txt.sigstore.json"], file).CombinedOutput()
		if err != nil {
			return errors.New(string(out))
		}
		return nil
	}
	if err := verify(files["checksums.txt"]); err != nil {
		t.Errorf("the signature of checksums.txt: %v", err)
	}
	if err := verify(files["install.sh"]); err == nil {
		t.Error("the signature of checksums.txt is one of install.sh too")
	}
	formula, err := os.ReadFile(filepath.Join(workDir, "second", "homebrew", "Formula", "samforge.rb"))
	must(t, err)
	archive, err := os.ReadFile(files["samforge_linux_amd64.tar.gz"])
	must(t, err)
	if sum := fmt.Sprintf(`sha256 "%x"`, sha256.Sum256(archive)); !strings.Contains(string(formula), sum) {
		t.Errorf("Homebrew's formula has no %s:\n%s", sum, formula)
	}
	var sbom struct{ Components []struct{ Name string } }
	text, err := os.ReadFile(files["samforge_linux_amd64.cdx.json"])
	must(t, err)
	must(t, json.Unmarshal(text, &sbom))
	var modules []string
	for _, c := range sbom.Components {
		modules = append(modules, c.Name)
	}
	if !slices.Contains(modules, "github.com/moby/buildkit") || !slices.Contains(modules, "std") {
		t.Errorf("the SBOM of samforge lists %q", modules)
	}
}

// What a package of a Linux distribution installs, it removes.
func TestPackages(t *testing.T) {
	t.Parallel()
	files := dist(t)
	for name, c := range map[string]struct{ install, remove string }{
		"deb": {
			`mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates; touch root/var/lib/dpkg/status; dpkg --root="$PWD/root" --install "$PACKAGE"`,
			`dpkg --root="$PWD/root" --purge samforge`,
		},
		"rpm": {`rpm --root="$PWD/root" --install --nosignature "$PACKAGE"`, `rpm --root="$PWD/root" --erase samforge`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			if out, code := shell(t, "sh", c.install, work, "PACKAGE="+files["samforge_linux_amd64."+name]); code != 0 {
				t.Fatalf("it cannot be installed:\n%s", out)
			}
			for _, file := range []string{"bin/samforge-bake", "share/man/man1/samforge-build.1.gz", "share/bash-completion/completions/samforge", "share/doc/samforge/copyright"} {
				if _, err := os.Stat(filepath.Join(work, "root/usr", file)); err != nil {
					t.Error(err)
				}
			}
			wantReleased(t, filepath.Join(work, "root/usr/bin/samforge"))
			if out, code := shell(t, "sh", c.remove, work); code != 0 {
				t.Fatalf("it cannot be removed:\n%s", out)
			}
			if left, _ := shell(t, "sh", "find root/usr ! -type d 2>/dev/null || true", work); strings.Contains(left, "samforge") {
				t.Errorf("left are\n%s", left)
			}
		})
	}
	t.Run("apk", func(t *testing.T) { // no apk is here: it is read as an archive
		t.Parallel()
		apk, archive := entries(t, files["samforge_linux_amd64.apk"]), entries(t, files["samforge_linux_amd64.tar.gz"])
		if info := string(apk[".PKGINFO"]); !strings.Contains(info, "pkgname = samforge\n") || !strings.Contains(info, "\narch = x86_64\n") {
			t.Errorf("it says of itself:\n%s", info)
		}
		for _, program := range []string{"samforge", "samforge-bake"} {
			if !bytes.Equal(apk["usr/bin/"+program], archive[program]) {
				t.Errorf("its %s is not the archive's", program)
			}
		}
	})
}

// wantReleased checks that a samforge runs, and knows its version.
func wantReleased(t *testing.T, program string) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), program, "version").Output()
	must(t, err)
	info, err := buildinfo.ReadFile(program)
	must(t, err)
	if !regexp.MustCompile(`^samforge v\d+\.\d+\.\d+`).Match(said) || info.Main.Path != "github.com/samforge/samforge" {
		t.Errorf("%s of %s says it is %s", program, info.Main.Path, said)
	}
}

// entries returns the regular files of a compressed tar archive, or of several in a row as Alpine's
// packages are.
func entries(t *testing.T, file string) map[string][]byte {
	t.Helper()
	opened, err := os.Open(file)
	must(t, err)
	defer opened.Close()
	unzipped, err := gzip.NewReader(opened)
	must(t, err)
	files := map[string][]byte{}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		content, err := io.ReadAll(archive)
		must(t, err)
		files[header.Name] = content
	}
}
