package inputs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil/types"
)

const (
	baseImage  = "public.ecr.aws/lambda/python:3.13"
	multiStage = "FROM " + baseImage + " AS build\nARG MODE\nCOPY requirements.txt ./\nRUN --mount=type=bind,source=scripts,target=/scripts true\n" +
		"FROM scratch AS unused\nCOPY unused.txt /\n" +
		"FROM " + baseImage + "\nCOPY --from=build /var/task /var/task\nCOPY app deep/er ./\nCMD [\"app.handler\"]\n"
)

// app is a build whose files are in a folder of the test.
type app struct {
	t      *testing.T
	dir    string
	build  Build
	images map[string]string // digests that replace those of the registry
}

func newApp(t *testing.T, dockerfile string) *app {
	a := &app{t: t, dir: t.TempDir(), images: map[string]string{}}
	a.build = Build{
		Folder: a.dir, Dockerfile: filepath.Join(a.dir, "Dockerfile"),
		Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}, Args: map[string]string{"MODE": "fast"},
	}
	for name, text := range map[string]string{
		"Dockerfile": dockerfile, "requirements.txt": "requests\n", "unused.txt": "", "scripts/build.sh": "true\n",
		"app/app.py": "def handler(event, context): pass\n", "app/README.md": "read me\n", "deep/er/file": "", "README.md": "read me\n", ".dockerignore": "**/*.md\n",
	} {
		a.write(name, text)
	}
	return a
}

func (a *app) write(name, text string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) do(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// resolve stands in for registries: each image has the digest of its name.
func (a *app) resolve(_ context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
	if strings.Contains(ref, "missing") {
		return "", nil, fmt.Errorf("%s: not found", ref)
	}
	name := ref
	if other, ok := a.images[ref]; ok {
		name = other
	}
	return digest.FromString(name + platform.Architecture), []byte(`{"architecture":"` + platform.Architecture + `","os":"linux"}`), nil
}

func (a *app) find() *Inputs {
	a.t.Helper()
	in, err := (&Finder{Resolve: a.resolve}).Find(a.t.Context(), a.build)
	if err != nil {
		a.t.Fatal(err)
	}
	return in
}

// TestWhatTheDigestIsOver: what the image is made from changes the digest, and nothing else does.
func TestWhatTheDigestIsOver(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(a *app){
		"a file that is copied":               func(a *app) { a.write("app/app.py", "changed") },
		"a new file in a folder":              func(a *app) { a.write("app/new.py", "") },
		"a file of another stage":             func(a *app) { a.write("requirements.txt", "changed") },
		"a file that a step mounts":           func(a *app) { a.write("scripts/build.sh", "false\n") },
		"a file that becomes executable":      func(a *app) { a.do(os.Chmod(filepath.Join(a.dir, "app/app.py"), 0o755)) },
		"a link":                              func(a *app) { a.do(os.Symlink("app.py", filepath.Join(a.dir, "app/link"))) },
		"the Dockerfile":                      func(a *app) { a.write("Dockerfile", multiStage+"ENV A=b\n") },
		"an argument":                         func(a *app) { a.build.Args["MODE"] = "slow" },
		"the stage":                           func(a *app) { a.build.Target = "build" },
		"the platform":                        func(a *app) { a.build.Platform.Architecture = "arm64" },
		"a label":                             func(a *app) { a.build.Labels = map[string]string{"a": "b"} },
		"the base image":                      func(a *app) { a.images[baseImage] = "newer" },
		"the ignore file, where it lets more": func(a *app) { a.write(".dockerignore", "README.md\n") },
		"a named context in place of the base": func(a *app) {
			a.build.Contexts = map[string]string{baseImage: "docker-image://registry.example.com/python:1"}
		},
	} {
		t.Run("changes: "+name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, multiStage)
			before := a.find().Digest()
			change(a)
			if after := a.find().Digest(); after == before {
				t.Error("the digest is the same")
			}
		})
	}
	for name, change := range map[string]func(a *app){
		"nothing":                          func(*app) {},
		"a file that is ignored":           func(a *app) { a.write("app/README.md", "changed") },
		"the mode of a folder above it":    func(a *app) { a.do(os.Chmod(filepath.Join(a.dir, "deep"), 0o700)) },
		"the rest of a file's mode":        func(a *app) { a.do(os.Chmod(filepath.Join(a.dir, "app/app.py"), 0o660)) },
		"a file that nothing reads":        func(a *app) { a.write("other/file", "changed") },
		"a file of a stage that is not":    func(a *app) { a.write("unused.txt", "changed") },
		"the time of a file":               func(a *app) { a.do(os.Chtimes(filepath.Join(a.dir, "app/app.py"), time.Unix(0, 0), time.Unix(0, 0))) },
		"the time of the build":            func(a *app) { a.build.Args["SOURCE_DATE_EPOCH"] = "1700000000" },
		"an argument that is not declared": func(a *app) { a.build.Args["COMMIT"] = "0123456" },
		"a proxy":                          func(a *app) { a.build.Args["https_proxy"] = "http://proxy.example.com" },
		"the folder that it lies in":       func(a *app) { a.move() },
		"the ignore file, in other words":  func(a *app) { a.write(".dockerignore", "# documents\n**/*.md\n") },
	} {
		t.Run("does not: "+name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, multiStage)
			before := a.find()
			change(a)
			if after := a.find(); after.Digest() != before.Digest() {
				t.Errorf("the digest is another one:\n%v\n%v", before.Parts, after.Parts)
			}
		})
	}
}

// move makes another folder with the same files.
func (a *app) move() {
	a.t.Helper()
	dir := filepath.Join(a.t.TempDir(), "elsewhere")
	a.do(os.CopyFS(dir, os.DirFS(a.dir)))
	a.do(filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			err = os.Chmod(path, 0o644)
		}
		return err
	}))
	a.build.Folder, a.build.Dockerfile = dir, filepath.Join(dir, "Dockerfile")
}

// Which build arguments count depends on the Dockerfile and on its base image.
func TestArguments(t *testing.T) {
	t.Parallel()
	const onBuild = "registry.example.com/onbuild:1"
	for name, c := range map[string]struct {
		dockerfile, arg string
		counts          bool
	}{
		"declared":                     {"FROM scratch\nARG A\n", "A", true},
		"declared for the base image":  {"ARG A=scratch\nFROM $A\n", "A", true},
		"one of several":               {"FROM scratch\nARG B=1 A\n", "A", true},
		"not declared":                 {"FROM scratch\nARG B\n", "A", false},
		"with a name of BuildKit's":    {"FROM scratch\nARG BUILDKIT_VERSION\n", "BUILDKIT_VERSION", true},
		"with a name of samforge's":    {"FROM scratch\nARG SAMFORGE_STAGE\n", "SAMFORGE_STAGE", true},
		"a proxy that is declared":     {"FROM scratch\nARG HTTP_PROXY\n", "HTTP_PROXY", true},
		"of every Dockerfile":          {"FROM scratch AS s-one\nFROM scratch AS s-two\nFROM s-$TARGETARCH\n", "TARGETARCH", true},
		"declared by the base's steps": {"FROM " + onBuild + "\n", "A", true},
		"declared by a stage's steps":  {"FROM scratch AS base\nONBUILD ARG A\nFROM base\n", "A", true},
		"declared in quotes":           {"FROM scratch\nARG \"A\"\n", "A", true},
		"declared by a variable":       {"FROM scratch\nARG NAME=A\nARG $NAME\n", "A", true},
		"the name of the machine":      {"FROM scratch\n", "BUILDKIT_SANDBOX_HOSTNAME", true},
	} {
		find := func(value string) *Inputs {
			a := newApp(t, c.dockerfile)
			a.build.Args = map[string]string{c.arg: value}
			finder := &Finder{Resolve: func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
				if ref == onBuild {
					return digest.FromString(ref), []byte(`{"config":{"OnBuild":["ARG A","RUN echo $A"]}}`), nil
				}
				return a.resolve(ctx, ref, platform)
			}}
			in, err := finder.Find(t.Context(), a.build)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return in
		}
		if other := find("one").Digest() != find("two").Digest(); other != c.counts {
			t.Errorf("an argument %s changes the digest: %t, want %t", name, other, c.counts)
		}
	}
}

// The digest is the same on builders of any platform, whose own images are those for amd64.
func TestImagesForTheBuilder(t *testing.T) {
	t.Parallel()
	a := newApp(t, "FROM --platform=$BUILDPLATFORM registry.example.com/compiler:1 AS build\nFROM "+baseImage+"\nCOPY --from=build / /\n")
	a.build.Platform.Architecture = "arm64"
	var images []string
	for _, part := range a.find().Parts {
		if part.Kind == "image" {
			images = append(images, part.Name)
		}
	}
	if want := []string{baseImage + " linux/arm64", "registry.example.com/compiler:1 linux/amd64"}; !slices.Equal(images, want) {
		t.Errorf("the images are %q, want %q", images, want)
	}
}

// An image that only a builder reaches does not keep the function from being built.
func TestUnreachableImages(t *testing.T) {
	t.Parallel()
	a := newApp(t, multiStage)
	finder := &Finder{Resolve: func(context.Context, string, ocispecs.Platform) (digest.Digest, []byte, error) {
		return "", nil, &UnreachableError{errors.New("no such host")}
	}}
	in, err := finder.Find(t.Context(), a.build)
	if err != nil || len(in.Unpinned) == 0 || !strings.Contains(in.Unpinned[0], baseImage+" was not looked up: no such host") {
		t.Errorf("%v, %+v", err, in)
	}
}

func TestPartsAndSizes(t *testing.T) {
	t.Parallel()
	in := newApp(t, multiStage).find()
	kinds := map[string]int{}
	for _, part := range in.Parts {
		kinds[part.Kind]++
	}
	if want := map[string]int{"dockerfile": 1, "platform": 1, "argument": 1, "image": 1, "file": 7}; !maps.Equal(kinds, want) {
		t.Errorf("the parts are %v, want %v: %v", kinds, want, in.Parts)
	}
	// Dockerfile, .dockerignore, requirements.txt, unused.txt, build.sh, app.py and file are sent.
	if in.Files != 7 || in.Bytes < 100 || len(in.Unpinned) > 0 {
		t.Errorf("%d files with %d bytes are sent, and these can change: %q", in.Files, in.Bytes, in.Unpinned)
	}
}

// What can change without a change of the digest is told.
func TestUnpinned(t *testing.T) {
	t.Parallel()
	const commit = "0123456789012345678901234567890123456789"
	for name, c := range map[string]struct{ dockerfile, want string }{
		"an address":                  {"FROM scratch\nADD https://files.example.com/a.tgz /\n", "https://files.example.com/a.tgz can change: pin it with --checksum"},
		"an address with a checksum":  {"FROM scratch\nADD --checksum=sha256:" + strings.Repeat("a", 64) + " https://files.example.com/a.tgz /\n", ""},
		"a branch":                    {"FROM scratch\nADD https://git.example.com/a.git#main /\n", "git.example.com/a.git#main can change"},
		"a commit":                    {"FROM scratch\nADD https://git.example.com/a.git#" + commit + " /\n", ""},
		"another frontend":            {"# syntax=registry.example.com/frontend:1\nFROM scratch\n", "the frontend registry.example.com/frontend:1 may read more than samforge knows of"},
		"Docker's own frontend":       {"# syntax=docker/dockerfile:1\nFROM scratch\nCOPY app /\n", ""},
		"an address of another stage": {"FROM scratch AS a\nADD https://files.example.com/a.tgz /\nFROM scratch\nCOPY app /\n", ""},
	} {
		in := newApp(t, c.dockerfile).find()
		if c.want == "" && len(in.Unpinned) > 0 || c.want != "" && !slices.ContainsFunc(in.Unpinned, func(s string) bool { return strings.Contains(s, c.want) }) {
			t.Errorf("%s: %q, want %q", name, in.Unpinned, c.want)
		}
	}
	// Nobody knows which files another frontend reads: all of them count.
	a := newApp(t, "# syntax=registry.example.com/frontend:1\nFROM scratch\n")
	before := a.find().Digest()
	a.write("other/file", "")
	if a.find().Digest() == before {
		t.Error("a file that another frontend may read does not change the digest")
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dockerfile, want string }{
		"it does not parse":        {"FROM scratch\nCOPPY a /\n", "unknown instruction: COPPY"},
		"it is empty":              {"", "the Dockerfile cannot be empty"},
		"an image that is missing": {"FROM registry.example.com/missing:1\n", "registry.example.com/missing:1: not found"},
		"a syntax that is none":    {"# syntax=A B\nFROM scratch\n", "is not an image"},
	} {
		a := newApp(t, c.dockerfile)
		_, err := (&Finder{Resolve: a.resolve}).Find(t.Context(), a.build)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
		}
	}
}

// BenchmarkFind plans a hundred functions that share a folder of 3,000 files and 60 MB.
func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	content := strings.Repeat("some text of a program\n", 900)
	for i := range 3000 {
		name := filepath.Join(dir, fmt.Sprintf("pkg%02d/file%d.py", i%50, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	dockerfile := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(dockerfile, []byte("FROM "+baseImage+"\nCOPY pkg01 ./\nRUN true\nCOPY . ./\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	a := &app{images: map[string]string{}}
	for b.Loop() {
		finder := &Finder{Resolve: a.resolve}
		for range 100 {
			_, err := finder.Find(b.Context(), Build{Folder: dir, Dockerfile: dockerfile, Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What changes while an image is built is found, although files are not read again.
func TestChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(a *app)
		want   bool
	}{
		"nothing":            {func(*app) {}, false},
		"a file is touched":  {func(a *app) { a.do(os.Chtimes(filepath.Join(a.dir, "app/app.py"), time.Time{}, time.Unix(1, 0))) }, false},
		"a file is written":  {func(a *app) { a.write("app/app.py", "pass\n") }, true},
		"a file is new":      {func(a *app) { a.write("app/new.py", "") }, true},
		"a file is deleted":  {func(a *app) { a.do(os.Remove(filepath.Join(a.dir, "app/app.py"))) }, true},
		"another is written": {func(a *app) { a.write("unused.txt", "text\n") }, false},
		"the Dockerfile":     {func(a *app) { a.write("Dockerfile", multiStage+"USER 1\n") }, true},
		"the ignore file":    {func(a *app) { a.write(".dockerignore", "") }, true},
	} {
		a := newApp(t, multiStage)
		finder := &Finder{Resolve: a.resolve}
		before, err := finder.Find(t.Context(), a.build)
		a.do(err)
		c.change(a)
		if got, err := finder.Changed(t.Context(), a.build, before); got != c.want || err != nil {
			t.Errorf("%s: changed is %t, %v; want %t", name, got, err, c.want)
		}
	}
}

// The ignore file of a named context decides which of its files are read.
func TestIgnoreFileOfNamedContext(t *testing.T) {
	t.Parallel()
	a := newApp(t, "FROM scratch\nCOPY --from=lib src /src\n")
	a.build.Contexts = map[string]string{"lib": "local:" + filepath.Join(a.dir, "lib")}
	a.write("lib/src/lib.py", "")
	a.write("lib/src/README.md", "")
	with := a.find().Digest()
	a.write("lib/.dockerignore", "**/*.md\n")
	without := a.find().Digest()
	if with == without {
		t.Error("a file that is ignored now does not change the digest")
	}
	a.write("lib/src/README.md", "ignored\n")
	if a.find().Digest() != without {
		t.Error("an ignored file changes the digest")
	}
}

// Reading a large file takes minutes, and ends with the command.
func TestReadingEnds(t *testing.T) {
	t.Parallel()
	a := newApp(t, multiStage)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var sums fileSums
	if _, err := sums.sum(ctx, a.build.Dockerfile, &types.Stat{}); !errors.Is(err, context.Canceled) {
		t.Errorf("reading a file after the end gives %v", err)
	}
}
