package integration

import (
	"os/exec"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/integration/testenv"
)

// The frontend's image is small, for two architectures, and the same each time it is made; here an
// existing builder makes it.
func TestFrontendImage(t *testing.T) {
	t.Parallel()
	const limit = 8_000_000 // bytes, compressed; BuildKit's client alone has seven million
	b := newBed(t, testenv.Options{})
	index, err := frontendImage()
	must(t, err)
	want, err := index.Digest()
	must(t, err)

	ref := b.repo("samforge-frontend:again")
	cmd := exec.CommandContext(t.Context(), "make", "frontend-image", "FRONTEND_IMAGE="+ref, "BUILDKIT_HOST="+b.Buildkitd.Addr)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make frontend-image: %v\n%s", err, out)
	}
	if got := b.digestOfTag(ref); got != want.String() {
		t.Errorf("the image is %s the second time, %s the first", got, want)
	}
	parsed, err := name.ParseReference(ref)
	must(t, err)
	again, err := remote.Index(parsed, remote.WithContext(t.Context()))
	must(t, err)
	manifest, err := again.IndexManifest()
	must(t, err)
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
		image, err := again.Image(m.Digest)
		must(t, err)
		layers, err := image.Layers()
		must(t, err)
		if size, err := layers[0].Size(); err != nil || len(layers) != 1 || size > limit {
			t.Errorf("the image for %s has %d layers, the first of %d bytes (%v), want one of at most %d", m.Platform, len(layers), size, err, limit)
		}
	}
	if len(platforms) != 2 || platforms[0] != "linux/amd64" || platforms[1] != "linux/arm64" {
		t.Errorf("the image is for %q", platforms)
	}
	if image, err := b.Registry.ReadImage(t.Context(), ref, "linux/amd64"); err != nil || image.Config.Labels["moby.buildkit.frontend.network.none"] != "true" {
		t.Errorf("the image may use the network: %v", err)
	}
}
