package registry

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// serve starts a registry on loopback and returns its host. Requests that refuse answers do not
// reach the registry.
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

	if got, ok, err := testClient().Digest(t.Context(), host+"/ci/plugin:1"); got != want.String() || !ok || err != nil {
		t.Errorf("present tag: %q %v %v, want %s", got, ok, err, want)
	}
	for _, absent := range []string{host + "/ci/plugin:2", host + "/no/such:1"} {
		if got, ok, err := testClient().Digest(t.Context(), absent); got != "" || ok || err != nil {
			t.Errorf("%s: %q %v %v, want nothing", absent, got, ok, err)
		}
	}
	if _, _, err := testClient().Digest(t.Context(), "127.0.0.1:1/ci/plugin:1"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 cannot be reached") {
		t.Errorf("no registry: %v", err)
	}
	if _, _, err := testClient().Digest(t.Context(), "Not A Reference"); err == nil || !strings.Contains(err.Error(), "is not an image reference") {
		t.Errorf("bad reference: %v", err)
	}
}

// testClient has no credentials except those of the environment.
func testClient() *Client { return NewClient(NewKeychain(nil, AWS{}), 0) }

func TestTags(t *testing.T) {
	t.Parallel()
	host := serve(t, nil)
	for _, tag := range []string{"1", "2"} {
		pushIndex(t, host+"/ci/app:"+tag, v1.Platform{OS: "linux", Architecture: "amd64"})
	}
	client := NewClient(NewKeychain(nil, AWS{}), 0)
	if tags, err := client.Tags(t.Context(), host+"/ci/app"); err != nil || strings.Join(tags, " ") != "1 2" {
		t.Errorf("%q, %v", tags, err)
	}
	if _, err := client.Tags(t.Context(), host+"/ci/none"); err == nil || !strings.Contains(err.Error(), "list the tags of "+host+"/ci/none") {
		t.Errorf("a repository that is not there: %v", err)
	}
}

func TestRefusesPush(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int // of the upload; 0 lets the registry answer
		code   string
		refuse string
	}{
		"a registry that takes it":             {},
		"no right to push":                     {status: http.StatusForbidden, code: "DENIED", refuse: "/ci/app"},
		"no repository":                        {status: http.StatusNotFound, code: "NAME_UNKNOWN", refuse: "/ci/app"},
		"no login":                             {status: http.StatusUnauthorized, refuse: "/ci/app"},
		"a proxy that does not let it through": {status: http.StatusForbidden},
		"a server without uploads":             {status: http.StatusNotFound},
		"a registry that does not know POST":   {status: http.StatusMethodNotAllowed},
		"a registry that has enough for once":  {status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var begun atomic.Int32
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost {
					begun.Add(1)
				}
				if r.Method != http.MethodPost || c.status == 0 {
					return false
				}
				w.WriteHeader(c.status)
				if c.code != "" {
					fmt.Fprintf(w, `{"errors": [{"code": %q}]}`, c.code)
				}
				return true
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err := NewClient(NewKeychain(nil, AWS{}), 0).RefusesPush(ctx, host+"/ci/app:1")
			if (err == nil) != (c.refuse == "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("it says %v", err)
			}
			if c.status != http.StatusServiceUnavailable && begun.Load() != 1 {
				t.Errorf("%d uploads were begun", begun.Load())
			}
		})
	}
}
