package registry

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A mount is tried with a layer that is in both repositories, and what it begins is cancelled.
func TestMounts(t *testing.T) {
	t.Parallel()
	var cancelled, mounting atomic.Int32
	var closed atomic.Bool
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/blobs/uploads/"):
			cancelled.Add(1)
		case r.URL.Query().Get("mount") != "" && strings.HasPrefix(r.URL.Path, "/v2/old/"): // knows no mounts
			w.Header().Set("Location", "/v2/old/blobs/uploads/1")
			w.WriteHeader(http.StatusAccepted)
			return true
		case r.URL.Query().Get("mount") != "":
			mounting.Add(1)
			if r.URL.Query().Get("from") == "base" {
				w.WriteHeader(http.StatusCreated)
				return true
			}
		case closed.Load() && r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/secret/blobs/"):
			w.WriteHeader(http.StatusForbidden)
			return true
		case r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, "/v2/new/blobs/"): // has none
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	image, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"base:1", "app:1", "old/app:1", "secret:1"} {
		if err := remote.Write(mustParse(t, host+"/"+ref), image); err != nil {
			t.Fatal(err)
		}
	}
	closed.Store(true)
	client := NewClient(NewKeychain(func(string) {}, AWS{}), 0)
	for name, tc := range map[string]struct {
		from, to      string
		mounts, known bool
		want          string
	}{
		"it mounts":                       {"base:1", "app:2", true, true, ""},
		"it does not":                     {"base:1", "old/app:2", false, true, ""},
		"nothing is in both repositories": {"base:1", "new:1", false, false, ""},
		"the base is not for this user":   {"secret:1", "app:2", false, false, "do not allow access"},
		"there is no base":                {"none:1", "app:2", false, false, "none:1"},
	} {
		mounts, known, err := client.Mounts(t.Context(), host+"/"+tc.from, host+"/"+tc.to)
		if mounts != tc.mounts || known != tc.known || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: mounts %t, known %t, %v; want %t, %t, %q", name, mounts, known, err, tc.mounts, tc.known, tc.want)
		}
	}
	if mounting.Load() != 1 || cancelled.Load() != 1 {
		t.Errorf("%d mounts were tried at the registry that knows them, %d uploads cancelled; want 1 and 1", mounting.Load(), cancelled.Load())
	}
	if _, _, err := client.Mounts(t.Context(), host+"/base:1", "other.example.com/app:1"); err == nil || !strings.Contains(err.Error(), "are in different registries") {
		t.Errorf("two registries: got %v", err)
	}
}
