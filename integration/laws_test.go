package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Law 1, the other half: each layer of the base is sent to another registry once, and then never
// again.
func TestBaseReachesAnotherRegistryOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	other, err := testenv.StartRegistry(t.Context(), testenv.RegistryOptions{})
	must(t, err)
	t.Cleanup(func() { other.Close() })
	file := example(t, "sam/samforge.yaml")

	b.build("-f", file, "--repo", other.Addr+"/ci/sam", "--push").ok(t)
	layers, _, err := b.Registry.PulledFrom(t.Context(), seedBase)
	must(t, err)
	for _, p := range b.Registry.Pulls() {
		if p.Count > 1 {
			t.Errorf("%s was fetched %d times", p.Digest, p.Count)
		}
	}
	all, err := b.Registry.ImageLayers(t.Context(), seedBase)
	must(t, err)
	if layers != len(all) {
		t.Errorf("%d of the base's %d layers were pulled, want each once", layers, len(all))
	}

	// A newer plugin on a fresh buildkitd: the repository already has the base's layers.
	b.Registry.Reset()
	fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	b.buildOn(fresh, "-f", file, "--repo", other.Addr+"/ci/sam", "--build-arg", "VERSION=1.1.3", "--push").ok(t)
	b.wantNothingPulled(seedBase)
}

// Law 4: rootful or rootless, one cold builder or another, through a mirror or
// not: the same digest.
func TestSameInputsSameDigest(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	file := example(t, "sam/samforge.yaml")
	push := func(d *testenv.Buildkitd, flags ...string) string {
		lines := b.buildOn(d, append([]string{"-f", file, "--repo", b.repo("ci/sam"), "--push"}, flags...)...).ok(t)
		return digestOf(lines[0])
	}
	first := push(b.Buildkitd)
	for name, digest := range map[string]string{
		"a rootful buildkitd":         push(startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})),
		"a second rootless buildkitd": push(startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{Rootless: true})),
		"--no-cache":                  push(b.Buildkitd, "--no-cache"),
		"the worker's own mirror":     b.buildWithoutMirrors(file),
	} {
		if digest != first {
			t.Errorf("%s gave %s, want %s", name, digest, first)
		}
	}
	if other := push(b.Buildkitd, "--build-arg", "SOURCE_DATE_EPOCH=1700000000"); other == first {
		t.Error("another SOURCE_DATE_EPOCH gave the same digest")
	}
}

// buildWithoutMirrors builds with the upstream names. The bed's buildkitd is configured to find
// them in its registry.
func (b *bed) buildWithoutMirrors(file string) string {
	b.t.Helper()
	lines := run(b.t, b.env, "build", "--builder", b.Buildkitd.Addr, "-f", file, "--repo", b.repo("ci/upstream"), "--push",
		"--mirror", "https://app.harness.io/="+b.Files.URL()+"/").ok(b.t)
	return digestOf(lines[0])
}

// Law 9: credentials reach the registry, and nothing else.
func TestCredentialsStayWithTheRegistry(t *testing.T) {
	t.Parallel()
	const password = "s3cr3t-of-the-push-account"
	b := newBed(t, testenv.Options{Registry: testenv.RegistryOptions{
		TokenAuth:     true,
		AnonymousPull: true,
		Users:         map[string]testenv.Account{"pusher": {Password: password, Push: true}},
	}})
	b.login("pusher", password)
	metadata := filepath.Join(t.TempDir(), "metadata.json")
	r := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push",
		"--provenance", "mode=max", "--metadata-file", metadata)
	lines := r.ok(t)

	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	written, err := os.ReadFile(metadata)
	must(t, err)
	blobs := b.everyBlob(lines[0])
	for place, text := range map[string]string{
		"stdout": r.stdout, "stderr": r.stderr, "the metadata file": string(written),
		"buildkitd's log": b.Buildkitd.Log(), "the environment": strings.Join(image.Config.Env, "\n"),
		"the manifests, configs and attestations": blobs,
	} {
		if strings.Contains(text, password) {
			t.Errorf("the password is in %s", place)
		}
	}
	if !strings.Contains(blobs, "slsa.dev/provenance") {
		t.Error("no provenance was found to look into")
	}
}
