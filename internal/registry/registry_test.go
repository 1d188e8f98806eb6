package registry

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// serve starts a registry on loopback and returns its host; requests that refuse answers do not get further.
func serve(t *testing.T, refuse func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse == nil || !refuse(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func pushIndex(t *testing.T, ref string, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, p := range platforms {
		img, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	if err := remote.WriteIndex(mustParse(t, ref), index); err != nil {
		t.Fatal(err)
	}
	return index
}

func mustParse(t *testing.T, ref string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDigestTellsAMissingTagFromAnError(t *testing.T) {
	t.Parallel()
	host := serve(t, nil)
	index := pushIndex(t, host+"/ci/plugin:1", v1.Platform{OS: "linux", Architecture: "amd64"})
	want, _ := index.Digest()

	if got, ok, err := Digest(t.Context(), host+"/ci/plugin:1"); got != want.String() || !ok || err != nil {
		t.Errorf("present tag: %q %v %v, want %s", got, ok, err, want)
	}
	for _, absent := range []string{host + "/ci/plugin:2", host + "/no/such:1"} {
		if got, ok, err := Digest(t.Context(), absent); got != "" || ok || err != nil {
			t.Errorf("%s: %q %v %v, want nothing", absent, got, ok, err)
		}
	}
	if _, _, err := Digest(t.Context(), "127.0.0.1:1/ci/plugin:1"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 cannot be reached") {
		t.Errorf("no registry: %v", err)
	}
	if _, _, err := Digest(t.Context(), "Not A Reference"); err == nil || !strings.Contains(err.Error(), "is not an image reference") {
		t.Errorf("bad reference: %v", err)
	}
}

func TestTagIsDoneOnceAndOnlyOnce(t *testing.T) {
	t.Parallel()
	puts := 0
	host := serve(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/latest") {
			puts++
		}
		return false
	})
	index := pushIndex(t, host+"/ci/plugin:1", v1.Platform{OS: "linux", Architecture: "amd64"})
	digest, _ := index.Digest()

	for range 2 {
		if err := Tag(t.Context(), fmt.Sprintf("%s/ci/plugin@%s", host, digest), "latest"); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, _ := Digest(t.Context(), host+"/ci/plugin:latest"); got != digest.String() || puts != 1 {
		t.Errorf("latest is %s after %d puts, want %s after 1", got, puts, digest)
	}
}

func TestMembersLeavesAttestationsOut(t *testing.T) {
	t.Parallel()
	host := serve(t, nil)
	index := pushIndex(t, host+"/ci/plugin:1",
		v1.Platform{OS: "linux", Architecture: "amd64"},
		v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
		v1.Platform{OS: "unknown", Architecture: "unknown"})
	manifest, _ := index.IndexManifest()

	got, err := Members(t.Context(), host+"/ci/plugin:1")
	want := []Member{
		{"linux/amd64", manifest.Manifests[0].Digest.String()},
		{"linux/arm64/v8", manifest.Manifests[1].Digest.String()},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

func TestMembersOfAnImageIsTheImage(t *testing.T) {
	t.Parallel()
	host := serve(t, nil)
	img, _ := random.Image(64, 1)
	img, _ = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: "arm64"})
	if err := remote.Write(mustParse(t, host+"/ci/plugin:1"), img); err != nil {
		t.Fatal(err)
	}
	digest, _ := img.Digest()

	got, err := Members(t.Context(), host+"/ci/plugin:1")
	if want := []Member{{"linux/arm64", digest.String()}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
