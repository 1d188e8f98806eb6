package integration

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/samforge/samforge/integration/testenv"
)

// The files in a layer are checked whatever caches a build names, through both doors, and again in
// a build that follows a failed one.
func TestChecksDependOnNoCache(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	x.standInsThatAreWrong()
	dir := x.folder(samFile)
	cache := "type=registry,ref=" + x.repo("cache/good")
	const target = "nodejs22.x"
	x.bed.build("-f", filepath.Join(dir, "samforge.yaml"), "--target", target, "--repo", x.repo("ci/good"), "--push",
		"--cache-to", cache+",mode=max").ok(t)

	x.Files.Add(strings.ReplaceAll(goTemplatePath, "v0.4.15", "v9.9.9")+"amd64/go-template", []byte(`{"error": "not found"}`))
	mistakes := map[string]struct {
		dir  string
		want []string
	}{
		"a plugin of another machine": {
			x.folder(strings.Replace(samFile, "1.1.2-beta-base-image", "other-machine", 1)),
			[]string{"/opt/harness/bin/harness-sam-plugin", "EM_AARCH64", "expected EM_X86_64 for linux/amd64"},
		},
		"a go-template server that answers with JSON": {
			x.folder(samFile + "goTemplate: {version: v9.9.9}\n"),
			[]string{"go-template is not a program but text/plain", "expected an ELF executable for linux/amd64"},
		},
	}
	for door := range x.doors(dir, target) {
		for name, from := range map[string]string{"a cache that does not exist": "type=registry,ref=" + x.repo("cache/none"), "the cache of a good image": cache} {
			t.Run(door+"/"+name, func(t *testing.T) {
				t.Parallel()
				fresh := startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{})
				for mistake, c := range mistakes {
					for range 2 { // the second build finds the layer in the builder's cache
						r := x.doors(c.dir, target)[door](fresh, "--cache-from", from)
						if r.code != 1 {
							t.Errorf("%s: exit code %d, want 1\n%s", mistake, r.code, r.stderr)
						}
						for _, want := range c.want {
							if !strings.Contains(r.stderr, want) {
								t.Errorf("%s: the message does not say %q:\n%s", mistake, want, r.stderr)
							}
						}
					}
				}
			})
		}
	}
}

// The proof that a check passed depends on the checked files, not on their name.
func TestChecksOfAFolder(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	dir := t.TempDir()
	binary, err := testenv.Executable(t.Context(), "harness-sam-plugin", "amd64", "from-a-folder")
	must(t, err)
	write := func(name string, data []byte) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	write("opt/harness/bin/harness-sam-plugin", binary)
	write("opt/harness/scripts/sam-plugin.sh", []byte("#!/bin/sh\n"))
	build := func() result {
		return b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push",
			"--build-context", "harness/aws-sam-plugin:1.1.2-beta-base-image="+dir)
	}
	build().ok(t)
	build().ok(t)
	write("opt/harness/bin/harness-sam-plugin", []byte("#!/bin/sh\n"))
	b.wantFailure(build(), "/opt/harness/bin/harness-sam-plugin is not a program but text/plain")
}

// pluginWith returns the stand-in for the plugin image with other files on top of its own.
func pluginWith(t *testing.T, entries ...tar.Header) v1.Image {
	t.Helper()
	image, err := testenv.PluginImage(t.Context(), testenv.PluginOptions{Kind: "sam", Version: "1.1.2-beta", Arch: "amd64"})
	must(t, err)
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, entry := range entries {
		must(t, w.WriteHeader(&entry))
		_, err := w.Write(bytes.Repeat([]byte("x"), int(entry.Size)))
		must(t, err)
	}
	must(t, w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	must(t, err)
	image, err = mutate.AppendLayers(image, layer)
	must(t, err)
	return image
}

// A plugin image writes nothing outside of its folder in the image, and its entrypoint and its
// binary are regular files.
func TestHostilePluginImages(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	const script, binary = "opt/harness/scripts/sam-plugin.sh", "opt/harness/bin/harness-sam-plugin"
	rootful := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{}) // a rootless one makes no devices
	build := func(tag string, entries ...tar.Header) result {
		ref := "docker.io/harness/aws-sam-plugin:" + tag
		b.push(ref, pluginWith(t, entries...))
		return b.buildOn(rootful, "-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push", "--build-arg", "HARNESS_BASE_IMAGE="+ref)
	}
	lines := build("link",
		tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o600, Size: 5},
		tar.Header{Name: script, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}).ok(t)
	base, err := b.Registry.ReadImage(t.Context(), seedBase, "linux/amd64", testenv.OnlyLayers(1000))
	must(t, err)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64", testenv.OnlyLayers(len(base.Layers)))
	must(t, err)
	for name, file := range image.Files {
		if !strings.HasPrefix(name, "/opt") && !strings.HasPrefix(name, "/usr") {
			t.Errorf("the image has %s over the base's (mode %o)", name, file.Mode)
		}
	}
	if got := image.Files["/"+script]; got.Type != tar.TypeReg || got.Mode != 0o755 {
		t.Errorf("the entrypoint is %+v, want a regular file", got)
	}
	// A folder that is a link is followed, as COPY does.
	lines = build("linked-folder",
		tar.Header{Name: "etc/kit/sam-plugin.sh", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5},
		tar.Header{Name: "etc/kit/other.sh", Typeflag: tar.TypeReg, Mode: 0o644, Size: 6},
		tar.Header{Name: "opt/harness/scripts", Typeflag: tar.TypeSymlink, Linkname: "/etc/kit"}).ok(t)
	image, err = b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64", testenv.OnlyLayers(len(base.Layers)))
	must(t, err)
	if got := image.Files["/opt/harness/scripts/other.sh"]; got.Type != tar.TypeReg || got.Size != 6 {
		t.Errorf("the script of the linked folder is %+v", got)
	}
	if got, there := image.Files["/opt/harness/scripts/scripts"]; there {
		t.Errorf("the link is in the image: %+v", got)
	}
	for tag, c := range map[string]struct {
		entry tar.Header
		want  string
	}{
		"pipe":       {tar.Header{Name: script, Typeflag: tar.TypeFifo, Mode: 0o755}, "is not a regular file but a pipe"},
		"device":     {tar.Header{Name: script, Typeflag: tar.TypeChar, Mode: 0o755, Devmajor: 1, Devminor: 5}, "is not a regular file but a device"},
		"empty":      {tar.Header{Name: script, Typeflag: tar.TypeReg, Mode: 0o755}, "is an empty file"},
		"bin-pipe":   {tar.Header{Name: binary, Typeflag: tar.TypeFifo, Mode: 0o755}, "is not a regular file but a pipe"},
		"bin-nobody": {tar.Header{Name: binary, Typeflag: tar.TypeReg, Mode: 0o755}, "is an empty file"},
	} {
		r := build(tag, c.entry)
		b.wantFailure(r, "plugin image docker.io/harness/aws-sam-plugin:"+tag+": /"+c.entry.Name+" "+c.want)
	}
}
