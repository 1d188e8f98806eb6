package inputs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzFind: whatever the Dockerfile and the .dockerignore are, there are inputs with a digest,
// which is the same the second time, or a mistake.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{
		"ARG T=latest\nFROM --platform=$BUILDPLATFORM a:${T} AS b\nFROM b\nCOPY --from=0 /a /b\nCOPY --chown=1:1 src/*.go ./\nENTRYPOINT [\"/a\"]\n", "# check=skip=all\nFROM scratch\nRUN --mount=from=c,target=/d <<E\nE\n",
		"# syntax=docker/dockerfile:1\nFROM a\nADD https://files.example.com/a /b\n", "# escape=`\nFROM `\n a\nADD git://h/r.git#main:d /c\n", "FROM a@sha256:0\nCOPY . .\n", "FROM a AS a\nFROM a\nONBUILD COPY x y\n", "FROM\n", "",
		"FROM registry.example.com:5000/a AS x\nCOPY --from=x --exclude=*.md . /\nRUN --mount=type=bind,source=src,target=/s --mount=type=secret,id=a true\n", "FROM scratch\nCOPY <<A <<B /c/\n1\nA\n2\nB\n",
		"ARG A\nARG B=${A:-scratch}\nFROM ${B}\nARG C=$B\nENV D=${C#x}\nCOPY $D /\n", "FROM scratch\nCOPY ../a /\nCOPY link/a /\n", "\ufeffFROM scratch\r\nCOPY a \\\r\n b\r\n",
	} {
		f.Add([]byte(seed), "", "*.md\n!a.md\n")
		f.Add([]byte(seed), "b", "**\n!src\n# a\n\n[")
	}
	folder := f.TempDir()
	for name, text := range map[string]string{"a.md": "a", "src/a.go": "package a", "src/b/c": "c", "x": "y"} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Symlink("src", filepath.Join(folder, "link")); err != nil {
		f.Fatal(err)
	}
	dockerfile, ignore := filepath.Join(f.TempDir(), "Dockerfile"), filepath.Join(folder, ".dockerignore")
	f.Fuzz(func(t *testing.T, data []byte, target, ignored string) {
		if err := errors.Join(os.WriteFile(dockerfile, data, 0o600), os.WriteFile(ignore, []byte(ignored), 0o600)); err != nil {
			t.Fatal(err)
		}
		Registries(data, map[string]string{"T": "1"})
		if err := CheckStage("Dockerfile", data, target); err != nil && !strings.HasPrefix(err.Error(), "Dockerfile") && len(errdefs.Sources(err)) == 0 {
			t.Errorf("the mistake does not say where: %v", err)
		}
		build := Build{Folder: folder, Dockerfile: dockerfile, Target: target, Platform: ocispecs.Platform{OS: "linux", Architecture: "arm64"}}
		one, err := find(t, build)
		other, again := find(t, build)
		if (err == nil) != (again == nil) || err != nil && err.Error() == "" {
			t.Fatalf("%v, and then %v", err, again)
		}
		if err != nil {
			return
		}
		if one.Digest() != other.Digest() || one.Digest().Validate() != nil || !slices.Equal(one.Unpinned, other.Unpinned) {
			t.Errorf("%s, and then %s", one.Digest(), other.Digest())
		}
	})
}

// find finds inputs with registries that have every image.
func find(t *testing.T, build Build) (*Inputs, error) {
	t.Helper()
	finder := &Finder{Resolve: func(_ context.Context, ref string, _ ocispecs.Platform) (digest.Digest, []byte, error) {
		return digest.FromString(ref), []byte(`{"architecture": "arm64", "os": "linux", "config": {"Env": ["PATH=/bin"]}}`), nil
	}}
	return finder.Find(t.Context(), build)
}
