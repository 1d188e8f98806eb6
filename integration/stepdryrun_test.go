package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A dry run of one image, or of a bake file, builds and writes files, and changes nothing in the
// registry: no image, no cache.
func TestStepDryRun(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := checkout(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n",
		"docker-bake.hcl": `
target "default" {
  tags     = ["` + b.repo("baked") + `:1"]
  cache-to = ["type=registry,ref=` + b.repo("bakedcache") + `:1"]
  output   = ["type=registry,name=` + b.repo("named") + `:1", "type=local,dest=out"]
}
`,
	})
	tar, artifact := filepath.Join(dir, "image.tar"), filepath.Join(dir, "artifact.json")
	b.step(dir, "PLUGIN_DRY_RUN=true", "PLUGIN_REPO="+b.repo("app"), "PLUGIN_TAGS=1", "PLUGIN_ENABLE_CACHE=true", "PLUGIN_CACHE_TO=type=registry,ref="+b.repo("cache")+":1;type=local,dest=cache",
		"PLUGIN_TAR_PATH="+tar, "PLUGIN_ARTIFACT_FILE="+artifact).ok(t)
	b.step(dir, "PLUGIN_DRY_RUN=true", "PLUGIN_BAKE_FILE=docker-bake.hcl").ok(t)
	for _, path := range []string{tar, filepath.Join(dir, "cache/index.json"), filepath.Join(dir, "out/app")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(artifact); err == nil {
		t.Error("the artifact file names images that were not pushed")
	}
	for _, repository := range []string{"app", "cache", "baked", "bakedcache", "named"} {
		parsed, err := name.NewRepository(b.repo(repository))
		must(t, err)
		if tags, err := remote.List(parsed, remote.WithContext(t.Context())); err == nil {
			t.Errorf("%s has the tags %q", repository, tags)
		}
	}
}

// Where some tags exist, the files of the step are about the image that was pushed, and the log names
// the tags of another one.
func TestStepSkipsTagsOfAnotherImage(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	output, digests := filepath.Join(t.TempDir(), "output"), filepath.Join(t.TempDir(), "digests")
	settings := []string{"PLUGIN_REPO=" + b.repo("app"), "PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true", "PLUGIN_EXPAND_TAG=true", "PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE=" + digests}
	first := b.step(dir, append(settings, "PLUGIN_TAGS=1.2.3")...)
	lines := first.ok(t)
	must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("another app\n"), 0o644))
	second := b.step(dir, append(settings, "PLUGIN_TAGS=1.2.4", "DRONE_OUTPUT="+output)...)
	more := second.ok(t)
	if len(more) != 3 || more[0] != lines[0] || digestOf(more[2]) == digestOf(lines[2]) {
		t.Fatalf("stdout is %q, and was %q", more, lines)
	}
	if want := b.repo("app") + ":1.2 is another image than " + b.repo("app") + ":1.2.4, and stays as it is"; !strings.Contains(second.stderr, want) || strings.Contains(first.stderr, "another image") {
		t.Errorf("the log does not say %q:\n%s", want, second.stderr)
	}
	for path, want := range map[string]string{output: "digest=\"" + digestOf(more[2]) + "\"\n", digests: b.repo("app") + "@" + digestOf(more[2]) + "\n"} {
		if data, err := os.ReadFile(path); err != nil || string(data) != want {
			t.Errorf("%s is %q, %v; want %q", path, data, err, want)
		}
	}
	full := b.stepBy(dir, []string{"sh", "-c", samforgeBinary + " plugin >/dev/full"}, append(settings, "PLUGIN_TAGS=1.2.4")...)
	if full.code != 1 || !strings.Contains(full.stderr, "write the result: ") {
		t.Errorf("exit code %d where the result cannot be written:\n%s", full.code, full.stderr)
	}
}
