package release

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// only returns a folder for PATH that has some programs of this machine and no others.
func only(t *testing.T, programs ...string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for _, program := range programs {
		found, err := exec.LookPath(program)
		if err != nil {
			t.Skip(err)
		}
		must(t, os.Symlink(found, filepath.Join(dir, program)))
	}
	return "PATH=" + dir
}

// What stands in the way of an installation is said before anything is downloaded.
func TestInstallScriptNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("../../install.sh")
	must(t, err)
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; strings.HasSuffix(r.URL.Path, "/checksums.txt") {
			_, _ = w.Write([]byte("00  samforge_plan9_amd64.tar.gz\n"))
		}
	}))
	defer server.Close()
	common := []string{"sh", "uname", "dirname", "mktemp", "rm", "sed", "curl", "cut", "mkdir"}
	for name, c := range map[string]struct {
		options, env, want string
		asks               int
	}{
		"an argument that is no option": {"1.2.3", "A=", "1.2.3 is no option (a version is -v 1.2.3); usage: install.sh [-v VERSION]", 0},
		"no program for checksums":      {"", only(t, append(common, "tar")...), "neither sha256sum nor shasum is here", 0},
		"no tar":                        {"", only(t, append(common, "sha256sum")...), "tar, which unpacks the archive, is not here", 0},
		"a file in place of a folder":   {"-d /dev/null/bin", "A=", "/dev/null cannot be written: name another folder with -d FOLDER", 0},
		"an archive without a checksum": {"", "A=", "/latest/download/checksums.txt has no samforge_", 1},
	} {
		requests = 0
		work := t.TempDir()
		said, code := shell(t, "/bin/sh", "/bin/sh "+script+" -u "+server.URL+" -d "+work+"/bin "+c.options, work, c.env)
		if code != 1 || !strings.Contains(said, c.want) || requests != c.asks {
			t.Errorf("%s: exit code %d after %d requests, want 1 after %d and %q:\n%s", name, code, requests, c.asks, c.want, said)
		}
	}
}

// A user who may not write to /usr/local/bin, and who has no home, must say where the programs go.
func TestInstallScriptWithoutAHome(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../install.sh")
	must(t, err)
	for env, want := range map[string]string{"A=": "HOME is not set: say with -d FOLDER", "HOME=/nobody": "/ cannot be written: name another folder with -d FOLDER"} {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-s")
		cmd.Stdin, cmd.Dir, cmd.Env = strings.NewReader(string(script)), "/", []string{"PATH=" + os.Getenv("PATH"), env}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %q:\n%s", env, err, want, out)
		}
	}
}
