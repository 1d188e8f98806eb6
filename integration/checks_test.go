package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// What a layer brings is checked whatever caches a build names, through both
// doors, and again in a build that follows one that failed.
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
		for name, from := range map[string]string{"a cache that is not there": "type=registry,ref=" + x.repo("cache/none"), "the cache of a good image": cache} {
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

// A proof that a check passed is about what was checked, and not about its name.
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
