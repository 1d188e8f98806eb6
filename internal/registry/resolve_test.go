package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// dockerHub pushes an index like that of docker:28-cli on Docker Hub, and returns the digests by
// platform. Each image has an attestation, and one member has no platform.
func dockerHub(t *testing.T, ref string) map[string]string {
	t.Helper()
	digests := map[string]string{}
	index := v1.ImageIndex(empty.Index)
	add := func(key string, p *v1.Platform, config v1.ConfigFile) {
		image, err := random.Image(64, 1)
		if err == nil {
			image, err = mutate.ConfigFile(image, &config)
		}
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[key] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: p}})
	}
	for _, p := range []v1.Platform{
		{OS: "linux", Architecture: "386"},
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm", Variant: "v6"},
		{OS: "linux", Architecture: "arm", Variant: "v7"},
		{OS: "linux", Architecture: "arm64", Variant: "v8"},
	} {
		add(p.String(), &p, v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant})
		add("attestation of "+p.String(), &v1.Platform{OS: "unknown", Architecture: "unknown"}, v1.ConfigFile{OS: "unknown", Architecture: "unknown"})
	}
	add("no platform", nil, v1.ConfigFile{OS: "linux", Architecture: "s390x"})
	if err := remote.WriteIndex(mustParse(t, ref), index); err != nil {
		t.Fatal(err)
	}
	return digests
}

func TestResolveTakesTheBestMatch(t *testing.T) {
	t.Parallel()
	ref := serve(t, nil) + "/library/docker:28-cli"
	digests := dockerHub(t, ref)
	resolver := NewResolver(t.Context(), testClient())
	for platform, want := range map[string]string{
		"linux/amd64":    "linux/amd64",    // 386 would do, and comes first
		"linux/arm64":    "linux/arm64/v8", // arm/v6 would do, and comes first
		"linux/arm64/v8": "linux/arm64/v8",
		"linux/arm/v8":   "linux/arm/v7",
		"linux/386":      "linux/386",
		"linux/s390x":    "no platform", // its config names it
	} {
		got, err := resolver.Resolve(ref, mustPlatform(t, platform))
		if err != nil || got.Manifest != digests[want] {
			t.Errorf("%s: %+v, %v; want %s, %s", platform, got, err, want, digests[want])
		}
	}
	var missing *PlatformError
	if _, err := resolver.Resolve(ref, mustPlatform(t, "linux/riscv64")); !errors.As(err, &missing) || !Absent(err) {
		t.Errorf("no image for riscv64: %v", err)
	}
}

func mustPlatform(t *testing.T, s string) ocispecs.Platform {
	t.Helper()
	p, err := v1.ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return ocispecs.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

func TestResolveOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	ref := serve(t, nil) + "/library/docker:none"
	_, err := NewResolver(t.Context(), testClient()).Resolve(ref, mustPlatform(t, "linux/amd64"))
	if err == nil || !strings.HasPrefix(err.Error(), ref+" was not found in its registry: check the name and the tag") || !Absent(err) {
		t.Errorf("got %v", err)
	}
}

// If a registry does not answer HEAD, or leaves out the digest, samforge sends GET.
func TestDigestWithoutHEAD(t *testing.T) {
	t.Parallel()
	for how, refuse := range map[string]func(http.ResponseWriter){
		"405":             func(w http.ResponseWriter) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"403":             func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"without headers": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/") {
					refuse(w)
					return true
				}
				return false
			})
			index := pushIndexByName(t, host+"/ci/plugin:1")
			got, ok, err := testClient().Digest(t.Context(), host+"/ci/plugin:1")
			if got != index || !ok || err != nil {
				t.Errorf("got %q %v %v, want %s", got, ok, err, index)
			}
			if got, ok, err := testClient().Digest(t.Context(), host+"/ci/plugin:2"); got != "" || ok || err != nil {
				t.Errorf("no such tag: %q %v %v", got, ok, err)
			}
		})
	}
}

// pushIndexByName pushes an index to a registry that refuses HEAD, and returns the digest.
func pushIndexByName(t *testing.T, ref string) string {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Put(parsed, empty.Index); err != nil {
		t.Fatal(err)
	}
	digest, err := empty.Index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// A proxy that requires a login answers every request with its page.
func TestResolveOfAWebPage(t *testing.T) {
	t.Parallel()
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><title>Log in</title>")
		return true
	})
	_, err := NewResolver(t.Context(), testClient()).Resolve(host+"/ci/plugin:1", ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if want := host + " sent a web page instead of an image"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
