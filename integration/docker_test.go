package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// The Docker CLI comes from its image, from a static archive, or is left out.
func TestDockerCLI(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	archive, err := testenv.DockerArchive(t.Context(), "27.5.1", "amd64")
	must(t, err)
	b.Files.Add("/linux/static/stable/x86_64/docker-27.5.1.tgz", archive)
	sum := fmt.Sprintf("%x", sha256.Sum256(archive))
	mirror := []string{"--mirror", "https://download.docker.com/=" + b.Files.URL() + "/"}
	const url = "https://download.docker.com/linux/static/stable/{{.Machine}}/docker-{{.Version}}.tgz"

	t.Run("from an archive with its checksum", func(t *testing.T) {
		file := buildFileWith(t, "docker: {version: 27.5.1, archive: '"+url+"', sha256: {amd64: "+sum+"}}\n")
		lines := b.build(append(mirror, "-f", file, "--repo", b.repo("ci/archive"), "--push")...).ok(t)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
		must(t, err)
		wantKit(t, image, "amd64")
		program, err := image.ReadFile("/usr/local/bin/docker")
		must(t, err)
		if !bytes.Contains(program, []byte("27.5.1")) || image.Config.Labels["io.samforge.docker.version"] != "27.5.1" {
			t.Errorf("the image does not have Docker 27.5.1 (label %q)", image.Config.Labels["io.samforge.docker.version"])
		}
	})
	t.Run("an archive is compared with its known checksum", func(t *testing.T) {
		file := buildFileWith(t, "docker: {version: 27.5.1, archive: '"+url+"'}\n")
		r := b.build(append(mirror, "-f", file, "--repo", b.repo("ci/archive"), "--push")...)
		b.wantFailure(r, "docker.archive", sum, "expected 4f798b3ee1e0140eab5bf30b0edc4e84f4cdb53255a429dc3bbae9524845d640")
	})
	t.Run("an archive without a checksum causes a warning with the one to pin", func(t *testing.T) {
		b.Files.Add("/own/docker.tgz", archive)
		file := buildFileWith(t, "docker: {archive: '"+b.Files.URL()+"/own/docker.tgz'}\n")
		r := b.build("-f", file, "--repo", b.repo("ci/archive"), "--push")
		r.ok(t)
		if !strings.Contains(r.stderr, "sha256: {amd64: "+sum+"}") {
			t.Errorf("no warning has the checksum:\n%s", r.stderr)
		}
	})
	t.Run("an archive that requires credentials", func(t *testing.T) {
		const header = "Basic Y2k6aHVudGVyMg=="
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != header {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = w.Write(archive)
		}))
		defer server.Close()
		secret := filepath.Join(t.TempDir(), "header")
		must(t, os.WriteFile(secret, []byte(header), 0o600))
		file := buildFileWith(t, "docker: {archive: '"+server.URL+"/docker.tgz', sha256: {amd64: "+sum+"}}\n")
		lines := b.build("-f", file, "--repo", b.repo("ci/private"), "--push", "--secret", "id=HTTP_AUTH_HEADER_127.0.0.1,src="+secret).ok(t)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
		must(t, err)
		wantKit(t, image, "amd64")

		inAddress := buildFileWith(t, "docker: {archive: 'http://ci:hunter2@"+strings.TrimPrefix(server.URL, "http://")+"/docker.tgz'}\n")
		r := b.build("-f", inAddress, "--repo", b.repo("ci/private"), "--push")
		const want = "docker.archive: there is a user or a password in the address, which would be recorded with the image: leave it out, and pass it with --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=FILE"
		if r.code != 2 || !strings.Contains(r.stderr, want) || strings.Contains(r.stdout+r.stderr, "hunter2") {
			t.Errorf("exit code %d, want 2 and %q without the password:\n%s", r.code, want, r.stderr)
		}
	})
	t.Run("not at all", func(t *testing.T) {
		file := buildFileWith(t, "docker: false\ngoTemplate: false\n")
		lines := b.build("-f", file, "--repo", b.repo("ci/bare"), "--push").ok(t)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
		must(t, err)
		for _, name := range []string{"/usr/local/bin/docker", "/opt/harness/client-tools/go-template"} {
			if _, ok := image.Files[name]; ok {
				t.Errorf("%s is in the image", name)
			}
		}
	})
}

// The variables of the published pipeline need no build file.
func TestNoBuildFile(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	variables := map[string]string{
		"HARNESS_BASE_IMAGE": "harness/aws-sam-plugin:1.1.2-beta-base-image",
		"VERSION":            "1.1.2",
		"SAM_BASE_IMAGE":     seedBase,
		"TARGET_REPO":        b.repo("ci/aws-sam-plugin"),
	}
	withFile := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/aws-sam-plugin"), "--push").ok(t)
	args := []string{"--kind", "sam", "--push"}
	for name, value := range variables {
		args = append(args, "--build-arg", name+"="+value)
		b.env = append(b.env, name+"="+value)
	}
	if lines := b.build(args...).ok(t); lines[0] != withFile[0] {
		t.Errorf("build arguments gave %s, the build file %s", lines[0], withFile[0])
	}
	if lines := b.build("--kind", "sam", "--push", "--env-args").ok(t); lines[0] != withFile[0] {
		t.Errorf("the environment gave %s, the build file %s", lines[0], withFile[0])
	}
}

// buildFileWith writes the seed's build file with more text at its end.
func buildFileWith(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "samforge.yaml")
	must(t, os.WriteFile(path, []byte(seedFile(t)+more), 0o600))
	return path
}
