package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// `go install github.com/samforge/samforge/cmd/samforge@latest` needs nothing but the module as a
// Go proxy has it: without what make build adds, and without a replace.
func TestGoInstall(t *testing.T) {
	t.Parallel()
	const version = "v0.999.0"
	dir := t.TempDir()
	proxy := filepath.Join(dir, "proxy")
	publish(t, proxy, module.Version{Path: "github.com/samforge/samforge", Version: version})
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	must(t, err)
	downloads := filepath.Join(strings.TrimSpace(string(out)), "cache", "download")
	cmd := exec.CommandContext(t.Context(), "go", "install", "-trimpath", "github.com/samforge/samforge/cmd/samforge@latest")
	// A module cache of its own: this version must not stay in the user's.
	cmd.Env = append(os.Environ(), "GOBIN="+dir+"/bin", "GOMODCACHE="+dir+"/modules", "CGO_ENABLED=0",
		"GOPROXY=file://"+proxy+",file://"+downloads, "GONOSUMDB=*", "GOFLAGS=-modcacherw")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	said, err := exec.CommandContext(t.Context(), dir+"/bin/samforge", "version").Output()
	must(t, err)
	if !strings.HasPrefix(string(said), "samforge "+version+"\n") {
		t.Errorf("samforge version says %q, want %s", said, version)
	}
}

// publish puts the commit that is checked out into a folder, as a Go proxy serves it.
func publish(t *testing.T, proxy string, m module.Version) {
	t.Helper()
	folder := filepath.Join(proxy, m.Path, "@v")
	must(t, os.MkdirAll(folder, 0o755))
	var archive bytes.Buffer
	tree := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", `git -C "$0" archive HEAD | tar -x -C "$1"`, repository, tree).CombinedOutput(); err != nil {
		t.Fatalf("git archive: %v\n%s", err, out)
	}
	must(t, zip.CreateFromDir(&archive, m, tree))
	gomod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "list"), []byte(m.Version+"\n"), 0o644))
	for name, content := range map[string][]byte{".zip": archive.Bytes(), ".mod": gomod, ".info": []byte(`{"Version":"` + m.Version + `"}`)} {
		must(t, os.WriteFile(filepath.Join(folder, m.Version+name), content, 0o644))
	}
}
