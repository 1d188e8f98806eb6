package testenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

func smallBase(t *testing.T, arch string) v1.Image {
	t.Helper()
	image, err := SAMBase(t.Context(), SAMBaseOptions{Runtime: "nodejs22.x", Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func pushed(t *testing.T, r *Registry, ref string, images ...v1.Image) {
	t.Helper()
	if _, err := r.Push(ref, images...); err != nil {
		t.Fatal(err)
	}
}

func TestRegistryCountsWhatIsPulledAndPushed(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true}).Registry
	pushed(t, r, Node22Base, smallBase(t, "amd64"), smallBase(t, "arm64"))
	if stats := r.Stats(); stats != (Stats{}) {
		t.Fatalf("the package's own push was counted: %+v", stats)
	}
	ref, err := r.Ref(Node22Base)
	if err != nil {
		t.Fatal(err)
	}
	image, err := crane.Pull(ref, crane.WithPlatform(&v1.Platform{OS: "linux", Architecture: "arm64"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Save(image, ref, t.TempDir()+"/image.tar"); err != nil {
		t.Fatal(err)
	}

	all, err := r.ImageLayers(t.Context(), Node22Base)
	if err != nil {
		t.Fatal(err)
	}
	layers, bytes, err := r.PulledFrom(t.Context(), ref)
	if err != nil || len(all) != 8 || layers != 4 || bytes < 1<<20 {
		t.Fatalf("of %d layers %d with %d bytes were pulled (%v), want 4 of 8 with 1 MiB", len(all), layers, bytes, err)
	}
	configs := 0
	for _, pull := range r.Pulls() {
		if pull.Repository != "ecr/sam/build-nodejs22.x" || pull.Kind == "" {
			t.Errorf("odd pull %+v", pull)
		}
		if pull.Kind == "config" {
			configs++
		}
		if want := all[pull.Digest]; pull.Kind == "layer" && pull.Bytes != want*int64(pull.Count) {
			t.Errorf("%+v has the wrong size, want %d", pull, want)
		}
	}
	if configs != 1 {
		t.Errorf("%d configs were pulled, want 1", configs)
	}

	r.Reset()
	if err := crane.Copy(ref, r.Addr+"/other/name:1"); err != nil { // crane mounts
		t.Fatal(err)
	}
	if err := crane.Push(smallLayer(t), r.Addr+"/other/name:2"); err != nil {
		t.Fatal(err)
	}
	if stats := r.Stats(); stats.Mounts < 8 || stats.Uploads == 0 || stats.UploadedBytes == 0 || stats.ManifestPuts != 4 {
		t.Errorf("odd counts after a copy in the registry and a push: %+v", stats)
	}
	if layers, _, _ := r.PulledFrom(t.Context(), ref); layers != 0 {
		t.Errorf("%d layers were pulled by a copy inside the registry", layers)
	}
}

// smallLayer is an image that no other test has.
func smallLayer(t *testing.T, content ...string) v1.Image {
	t.Helper()
	image, err := Image(ImageOptions{Arch: "amd64", Layers: []Layer{{Files: []File{{Path: "/name", Data: []byte(t.Name() + strings.Join(content, "/"))}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestRegistryAsksForCredentials(t *testing.T) {
	t.Parallel()
	users := map[string]Account{"pusher": {Password: "secret", Push: true}, "reader": {Password: "secret"}}
	for name, options := range map[string]RegistryOptions{
		"by password": {BasicAuth: true, Users: users},
		"by token":    {TokenAuth: true, Users: users},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := New(t, Options{NoBuildkitd: true, Registry: options}).Registry
			pushed(t, r, r.Addr+"/some/name:1", smallLayer(t))
			denied := http.StatusUnauthorized
			if options.BasicAuth {
				denied = http.StatusForbidden
			}
			for _, row := range []struct {
				user, password string
				pull, push     int // 0 = allowed
			}{
				{"pusher", "secret", 0, 0},
				{"reader", "secret", 0, denied},
				{"reader", "wrong", http.StatusUnauthorized, http.StatusUnauthorized},
				{"", "", http.StatusUnauthorized, http.StatusUnauthorized},
			} {
				auth := crane.WithAuth(authn.Anonymous)
				if row.user != "" {
					auth = crane.WithAuth(&authn.Basic{Username: row.user, Password: row.password})
				}
				if _, err := crane.Manifest(r.Addr+"/some/name:1", auth); status(err) != row.pull {
					t.Errorf("pull by %q with %q: %v, want status %d", row.user, row.password, err, row.pull)
				}
				if err := crane.Push(smallLayer(t, row.user, row.password), r.Addr+"/some/name:2", auth); status(err) != row.push {
					t.Errorf("push by %q with %q: %v, want status %d", row.user, row.password, err, row.push)
				}
			}
		})
	}
}

func status(err error) int {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestImmutableTagIsNotMoved(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true, Registry: RegistryOptions{ImmutableTags: true}}).Registry
	ref := r.Addr + "/some/name:1"
	for range 2 { // the same image again is fine
		if err := crane.Push(smallLayer(t), ref); err != nil {
			t.Fatal(err)
		}
	}
	err := crane.Push(smallBase(t, "amd64"), ref)
	if status(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "TAG_INVALID") {
		t.Errorf("another image under the same tag: %v, want 400 TAG_INVALID", err)
	}
}

func TestInterceptAnswersInTheRegistrysPlace(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true}).Registry
	pushed(t, r, r.Addr+"/some/name:1", smallLayer(t))
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		return true
	})
	if _, err := crane.Manifest(r.Addr + "/some/name:1"); status(err) != http.StatusTeapot {
		t.Errorf("intercepted: %v, want status 418", err)
	}
	r.Intercept(nil)
	if _, err := crane.Manifest(r.Addr + "/some/name:1"); err != nil {
		t.Errorf("no longer intercepted: %v", err)
	}
}

func TestRegistryLeavesNothing(t *testing.T) {
	t.Parallel()
	r, err := StartRegistry(context.Background(), RegistryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := r.dir.path
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if _, err := http.Get("http://" + r.Addr + "/v2/"); err == nil {
		t.Error("the registry still answers")
	}
}

// A Docker Official Image looks as on Docker Hub, whoever pushes it.
func TestOfficialImagesAreAsOnDockerHub(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true}).Registry
	pushed(t, r, DockerCLIImage, smallDocker(t, "amd64"), smallDocker(t, "arm64"))
	index, err := OfficialIndex(append([]string{"386"}, DockerPlatforms()...), smallDocker(t, "amd64"), smallDocker(t, "arm64"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PushIndex("docker:28-cli", index); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		DockerCLIImage:  "linux/amd64 unknown/unknown linux/arm/v6 unknown/unknown linux/arm/v7 unknown/unknown linux/arm64/v8 unknown/unknown",
		"docker:28-cli": "linux/386 unknown/unknown linux/amd64 unknown/unknown linux/arm/v6 unknown/unknown linux/arm/v7 unknown/unknown linux/arm64/v8 unknown/unknown",
	} {
		own, err := r.Ref(ref)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := crane.Manifest(own)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := v1.ParseIndexManifest(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		var platforms []string
		for i, member := range manifest.Manifests {
			platforms = append(platforms, member.Platform.String())
			if member.Platform.OS == "unknown" && member.Annotations["vnd.docker.reference.digest"] != manifest.Manifests[i-1].Digest.String() {
				t.Errorf("%s: member %d is not the attestation of the one before it: %v", ref, i, member.Annotations)
			}
		}
		if got := strings.Join(platforms, " "); got != want {
			t.Errorf("%s is for %s, want %s", ref, got, want)
		}
		if image, err := r.ReadImage(t.Context(), ref, "linux/arm64"); err != nil || image.Files["/usr/local/libexec/docker/cli-plugins/docker-buildx"].Size == 0 {
			t.Errorf("%s for arm64 is not the image that was given: %v", ref, err)
		}
	}
}

func smallDocker(t *testing.T, arch string) v1.Image {
	t.Helper()
	image, err := DockerCLI(t.Context(), DockerCLIOptions{Version: "28.5.2", Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// Layers that are linked into the storage behave as if they had been uploaded: every repository has
// those of its images, and no others.
func TestLinkedLayersBelongToTheirRepository(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true}).Registry
	image := smallBase(t, "amd64")
	pushed(t, r, r.Addr+"/one/name:1", image)
	pushed(t, r, r.Addr+"/other/name:1", smallLayer(t))
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	for repository, want := range map[string]int{"one/name": http.StatusOK, "other/name": http.StatusNotFound} {
		res, err := http.Get("http://" + r.Addr + "/v2/" + repository + "/blobs/" + digest.String())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want {
			t.Errorf("%s: status %d, %v, want %d", repository, res.StatusCode, err, want)
		}
		if want == http.StatusOK && hex.EncodeToString(sum.Sum(nil)) != digest.Hex {
			t.Errorf("%s has another layer than %s", repository, digest)
		}
	}
}
