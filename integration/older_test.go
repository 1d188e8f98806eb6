package integration

import (
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// The BuildKit version before samforge's gives the same images. Each accepts the other's caches,
// and nothing is pulled.
func TestTheBuildKitBefore(t *testing.T) {
	t.Parallel()
	before := testenv.BuildkitdOptions{Program: "buildkitd-v0.33"}
	both := func(t *testing.T, b *bed, args ...string) {
		t.Helper()
		cache := "type=registry,ref=" + b.repo("cache") + ":{{.Target}}"
		first := b.buildOn(startBuildkitd(t, b.Registry, before), append(args, "--cache-to", cache+",mode=max")...).ok(t)
		now := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
		wantDigests(t, b.buildOn(now, args...).ok(t), first)
		for _, options := range []testenv.BuildkitdOptions{{NoRunc: true}, {NoRunc: true, Program: before.Program}} {
			fresh := startBuildkitd(t, b.Registry, options)
			b.Registry.Reset()
			wantDigests(t, b.buildOn(fresh, append(args, "--cache-from", cache)...).ok(t), first)
			for _, p := range b.Registry.Pulls() {
				if p.Kind == "layer" {
					t.Errorf("%q pulled %s of %s", options.Program, p.Digest, p.Repository)
				}
			}
		}
	}
	t.Run("sam", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, testenv.Options{})
		b.base(testenv.Node22Base, "nodejs22.x", "amd64", "arm64")
		args := []string{"-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/sam"), "--push", "--build-arg", "SAM_BASE_IMAGE=" + testenv.Node22Base}
		both(t, b, append(args, "--platform", "linux/amd64")...)
		args = append(args, "--platform", "linux/amd64,linux/arm64")
		wantDigests(t, b.buildOn(startBuildkitd(t, b.Registry, before), args...).ok(t), b.build(args...).ok(t))
	})
	t.Run("cdk", func(t *testing.T) {
		t.Parallel()
		b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
		file := cdkFile(t, testenv.Lambda20Base, testenv.Python312Base)
		both(t, b, "-f", file, "--repo", b.repo("ci/cdk"), "--push", "--mirror", "https://registry.npmjs.org/="+npm.URL()+"/")
	})
}
