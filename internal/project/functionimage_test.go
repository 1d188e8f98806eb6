package project

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// resolveForTest stands in for registries. Images called amd64 are for that platform alone, and those
// called onbuild have ONBUILD instructions.
func resolveForTest(_ context.Context, ref string, platform ocispecs.Platform, _ llbgen.Pin) (*llbgen.SourceImage, error) {
	if strings.Contains(ref, "amd64") && platform.Architecture != "amd64" {
		return nil, &registry.PlatformError{Ref: ref, Platform: platform.Architecture}
	}
	config := &dockerspec.DockerOCIImage{}
	if strings.Contains(ref, "onbuild") {
		config.Config.OnBuild = []string{"RUN true"}
	}
	return &llbgen.SourceImage{Name: ref, Digest: digest.FromString(ref), Manifest: digest.FromString(ref + platform.Architecture), Config: config}, nil
}

// A lock file of a template has each image that a Dockerfile reaches, for the platforms that it exists
// for; none for an image whose configuration matters.
func TestImagesToLock(t *testing.T) {
	t.Parallel()
	const pinned = "registry.example.com/pinned:1@sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"
	for dockerfile, want := range map[string]string{ // the images with their architectures, or the error
		"FROM registry.example.com/base:1":                                                     "registry.example.com/base:1 amd64 arm64",
		"FROM registry.example.com/amd64:1":                                                    "registry.example.com/amd64:1 amd64",
		"FROM registry.example.com/onbuild:1":                                                  "registry.example.com/onbuild:1",
		"FROM scratch\nCOPY --from=node / /":                                                   "docker.io/library/node:latest amd64 arm64",
		"FROM scratch\nRUN --mount=type=bind,from=registry.example.com/tools:1,target=/x true": "registry.example.com/tools:1 amd64 arm64",
		"FROM registry.example.com/unused:1\nFROM scratch\nCOPY app /":                         "",
		"FROM " + pinned: "",
		"# syntax=docker/dockerfile:1\nFROM scratch\nCOPY app /":                           "docker.io/docker/dockerfile:1 amd64 arm64",
		"FROM --platform=$BUILDPLATFORM registry.example.com/for-$BUILDARCH:1\nCOPY app /": "registry.example.com/for-arm64:1 amd64 arm64",
		"FROM given":        "",
		"FROM node AS node": "docker.io/library/node:latest cannot be locked, because a stage of the Dockerfile has its name: give the image a tag, or the stage another name",
	} {
		dir := write(t, map[string]string{
			"template.yaml": "Resources:\n" + function("Fn", "", "Dockerfile: Dockerfile, DockerContext: ."), "Dockerfile": dockerfile + "\n", "app": "",
		})
		p, _, err := LoadUnlocked(t.Context(), Options{File: filepath.Join(dir, "template.yaml"), BuildContexts: []string{"given=docker-image://registry.example.com/given:1"}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := p.Combinations()
		if err != nil || len(found) != 2 {
			t.Fatalf("%d combinations, %v", len(found), err)
		}
		got := ""
		image, err := found[1].Target.image.describe(t.Context(), llbgen.Options{BuildPlatform: found[1].Builder, Resolve: resolveForTest})
		if err != nil {
			got = err.Error()
		} else {
			lockfile := llbgen.NewLockfile("template.lock")
			for _, in := range image.Inputs {
				lockfile.Add(in)
			}
			got = locked(lockfile)
		}
		if got != want {
			t.Errorf("%s\nis locked to %q, want %q", dockerfile, got, want)
		}
	}
}

// locked returns the images of a lock file, each with its architectures.
func locked(l *llbgen.Lockfile) string {
	var words []string
	for ref, digests := range l.Images {
		words = append(words, ref)
		var archs []string
		for platform := range digests {
			if _, arch, ok := strings.Cut(platform, "/"); ok {
				archs = append(archs, arch)
			}
		}
		slices.Sort(archs)
		words = append(words, archs...)
	}
	return strings.Join(words, " ")
}
