package inputs

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// locked returns a lock file with what the registry of an app has for images. One whose name contains
// onbuild has no digests of platforms.
func locked(images ...string) *llbgen.Lockfile {
	l := llbgen.NewLockfile("template.lock")
	for _, ref := range images {
		in := llbgen.Input{Kind: llbgen.InputImage, Name: ref, Digest: digest.FromString("index " + ref)}
		for _, arch := range []string{"amd64", "arm64"} {
			in.Platform = ocispecs.Platform{OS: "linux", Architecture: arch}
			if !strings.Contains(ref, "onbuild") {
				in.Manifest = digest.FromString(ref + arch)
			}
			l.Add(in)
		}
	}
	return l
}

// asked returns the inputs of a build, and the references that a registry is asked for. Images with
// digests are those of their tags.
func (a *app) asked() (*Inputs, []string) {
	a.t.Helper()
	var mu sync.Mutex // images are looked up side by side
	var asked []string
	in, err := (&Finder{Resolve: func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
		mu.Lock()
		asked = append(asked, ref)
		mu.Unlock()
		tag, _, _ := strings.Cut(ref, "@")
		dgst, config, err := a.resolve(ctx, tag, platform)
		if strings.Contains(tag, "onbuild") {
			config = []byte(`{"config":{"OnBuild":["ARG A"]}}`)
		}
		return dgst, config, err
	}}).Find(a.t.Context(), a.build)
	a.do(err)
	return in, asked
}

// With a lock file that has what the registry has the digest is the same, and no registry is asked for
// an image whose configuration does not matter.
func TestLockedImages(t *testing.T) {
	t.Parallel()
	const onBuild = "registry.example.com/onbuild:1"
	pinnedBase := baseImage + "@" + digest.FromString("index "+baseImage).String()
	for name, c := range map[string]struct {
		dockerfile string
		asks       string // the reference that is asked for all the same
	}{
		"a base image":                           {multiStage, ""},
		"an image that files are copied from":    {"FROM scratch\nCOPY --from=" + baseImage + " /var/task /\n", ""},
		"a frontend":                             {"# syntax=docker/dockerfile:1\nFROM scratch\nCOPY app /\n", ""},
		"a variable where files are copied to":   {"FROM " + baseImage + "\nCOPY app $LAMBDA_TASK_ROOT\n", ""},
		"a variable where files are copied from": {"FROM " + baseImage + "\nCOPY $FOLDER/app /\n", pinnedBase},
		"steps of the image's own":               {"FROM " + onBuild + "\n", onBuild + "@" + digest.FromString("index "+onBuild).String()},
	} {
		a := newApp(t, c.dockerfile)
		before, _ := a.asked()
		a.build.Lock = locked(baseImage, onBuild, "docker.io/docker/dockerfile:1", "registry.example.com/other:1")
		after, asked := a.asked()
		if after.Digest() != before.Digest() {
			t.Errorf("%s: the digest is another one with a lock file:\n%v\n%v", name, before.Parts, after.Parts)
		}
		if got := strings.Join(asked, " "); got != c.asks || len(after.Unlocked) > 0 {
			t.Errorf("%s: %q is looked up, want %q; %q", name, got, c.asks, after.Unlocked)
		}
	}
}

// The lock file wins over the registry, and a named context of the user wins over the lock file.
func TestWhichImageCounts(t *testing.T) {
	t.Parallel()
	image := func(a *app) string {
		in, _ := a.asked()
		return in.Parts[slices.IndexFunc(in.Parts, func(p Part) bool { return p.Kind == "image" })].Value
	}
	a := newApp(t, multiStage)
	first := image(a)
	a.build.Lock, a.images[baseImage] = locked(baseImage), "newer"
	if got := image(a); got != first {
		t.Errorf("the image is %s, want %s of the lock file", got, first)
	}
	a.build.Contexts = map[string]string{baseImage: "docker-image://registry.example.com/other:1"}
	if got := image(a); got == first {
		t.Error("the image is that of the lock file, and not that of the named context")
	}
}

// What a lock file does not pin is told. An image that cannot be told from a stage is never replaced.
func TestUnlockedImages(t *testing.T) {
	t.Parallel()
	const digests = "@sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"
	for name, c := range map[string]struct{ dockerfile, context, want string }{
		"in the lock file":           {"FROM " + baseImage, "", ""},
		"not in the lock file":       {"FROM registry.example.com/other:1", "", "template.lock does not have registry.example.com/other:1 for linux/amd64, so its current state is used"},
		"with a digest":              {"FROM registry.example.com/other:1" + digests, "", ""},
		"with the name of its stage": {"FROM node AS node\nCOPY app /\nFROM scratch\nCOPY --from=node / /", "", "docker.io/library/node:latest cannot be locked, because a stage of the Dockerfile has its name"},
		"a named context":            {"FROM base", "registry.example.com/other:1", "the named context registry.example.com/other:1 has no digest"},
		"a context with a digest":    {"FROM base", "registry.example.com/other:1" + digests, ""},
		"another frontend":           {"# syntax=registry.example.com/frontend:1\nFROM scratch", "", "the frontend registry.example.com/frontend:1 may read images"},
	} {
		a := newApp(t, c.dockerfile+"\n")
		if c.context != "" {
			a.build.Contexts = map[string]string{"base": "docker-image://" + c.context}
		}
		a.build.Lock = locked(baseImage, "docker.io/library/node:latest", "registry.example.com/frontend:1")
		in, _ := a.asked()
		if got := strings.Join(in.Unlocked, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: it says %q, want %q", name, got, c.want)
		}
		reached, err := (&Finder{Resolve: a.resolve}).Images(t.Context(), a.build, []byte(c.dockerfile+"\n"))
		if err != nil || !slices.Equal(reached.Unlocked, in.Unlocked) {
			t.Errorf("%s: without files it says %q, %v", name, reached.Unlocked, err)
		}
	}
}

// The named contexts have the names that the Dockerfile frontend asks for.
func TestContextsOfTheLock(t *testing.T) {
	t.Parallel()
	a := newApp(t, "")
	a.build.Lock = locked("docker.io/library/node:latest", "docker.io/library/node:22", baseImage)
	dockerfile := "FROM node AS a\nFROM node:22 AS b\nFROM " + baseImage + " AS c\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\nCOPY --from=c / /\n"
	reached, err := (&Finder{Resolve: a.resolve}).Images(t.Context(), a.build, []byte(dockerfile))
	a.do(err)
	got := map[string]string{}
	for _, image := range reached.Images {
		name, source := image.Context()
		got[name] = source
	}
	for name, ref := range map[string]string{"node": "docker.io/library/node:latest", "node:22": "docker.io/library/node:22", baseImage: baseImage} {
		if want := "docker-image://" + ref + "@" + digest.FromString("index "+ref).String(); got[name] != want {
			t.Errorf("the context %s is %q, want %q", name, got[name], want)
		}
	}
}
