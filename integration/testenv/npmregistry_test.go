package testenv

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeNPM is an npm registry below a path, with a package whose archives are partly on another
// host.
func fakeNPM(t *testing.T) *httptest.Server {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "from elsewhere") }))
	t.Cleanup(other.Close)
	var upstream *httptest.Server
	upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case "/npm/@a%2fb":
			fmt.Fprintf(w, `{"kind": %q, "auth": %q, "versions": {"1.0.0": {"dist": {"tarball": "%s/npm/@a/b/-/b-1.0.0.tgz"}},`+
				`"2.0.0": {"dist": {"tarball":"%s/b-2.0.0.tgz?sign=1"}}}}`,
				r.Header.Get("Accept"), r.Header.Get("Authorization"), upstream.URL, other.URL)
		case "/npm/@a/b/-/b-1.0.0.tgz":
			fmt.Fprint(w, "an archive")
		case "/npm/cut/-/cut-1.0.0.tgz":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(upstream.Close)
	return upstream
}

func npmBefore(t *testing.T, upstream, cache string) *NPMRegistry {
	t.Helper()
	n, err := startNPMRegistry(t.Context(), upstream+"/npm/", &http.Client{Transport: &http.Transport{}}, cache)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, n)
	return n
}

func get(t *testing.T, address string) (status int, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*")
	req.Header.Set("Authorization", "Bearer for this registry only")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res.StatusCode, string(data), err
}

type metadata struct {
	Kind, Auth string
	Versions   map[string]struct{ Dist struct{ Tarball string } }
}

func readMetadata(t *testing.T, n *NPMRegistry) metadata {
	t.Helper()
	status, body, err := get(t, n.URL()+"/@a%2fb")
	var m metadata
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(body), &m) != nil {
		t.Fatalf("metadata: %d %s %v", status, body, err)
	}
	return m
}

func TestNPMRegistryLeadsAllArchivesThroughItself(t *testing.T) {
	t.Parallel()
	n := npmBefore(t, fakeNPM(t).URL, t.TempDir())
	m := readMetadata(t, n)
	if m.Kind != "application/vnd.npm.install-v1+json" || m.Auth != "" {
		t.Errorf("upstream was asked for %q with the credentials %q", m.Kind, m.Auth)
	}
	for version, want := range map[string]string{"1.0.0": "an archive", "2.0.0": "from elsewhere"} {
		tarball := m.Versions[version].Dist.Tarball
		if !strings.HasPrefix(tarball, n.URL()+"/") {
			t.Errorf("%s is at %s", version, tarball)
		}
		if _, body, err := get(t, tarball); err != nil || body != want {
			t.Errorf("%s is %q, %v", version, body, err)
		}
	}
	if n.Requests() != 3 || n.Tarballs() != 2 || n.Hits("/@a/b") != 1 || n.Hits("@a/b/-/b-1.0.0.tgz") != 1 {
		t.Errorf("counted %d requests and %d archives: %v", n.Requests(), n.Tarballs(), n.hits)
	}
	n.Reset()
	if n.Requests() != 0 || n.Tarballs() != 0 || n.Hits("/@a/b") != 0 {
		t.Error("counts survive a reset")
	}
	if status, _, err := get(t, n.URL()+"/none"); err != nil || status != http.StatusNotFound {
		t.Errorf("a package that does not exist: %d, %v", status, err)
	}
}

func TestNPMRegistryAnswersFromItsCacheWhenUpstreamIsGone(t *testing.T) {
	t.Parallel()
	cache, upstream := t.TempDir(), fakeNPM(t)
	first := npmBefore(t, upstream.URL, cache)
	tarball := readMetadata(t, first).Versions["1.0.0"].Dist.Tarball
	if _, _, err := get(t, tarball); err != nil {
		t.Fatal(err)
	}
	second := npmBefore(t, upstream.URL, cache)
	upstream.Close()
	moved := readMetadata(t, second).Versions["1.0.0"].Dist.Tarball
	if _, body, err := get(t, moved); err != nil || body != "an archive" || !strings.HasPrefix(moved, second.URL()) {
		t.Errorf("%s is %q, %v", moved, body, err)
	}
	if n := second.fetched.Load(); n != 0 {
		t.Errorf("%d requests went to upstream, want none", n)
	}
	if status, _, err := get(t, second.URL()+"/other"); err != nil || status != http.StatusBadGateway {
		t.Errorf("what is not in the cache: %d, %v", status, err)
	}
}

func TestNPMRegistryDoesNotKeepHalfAnArchive(t *testing.T) {
	t.Parallel()
	n := npmBefore(t, fakeNPM(t).URL, t.TempDir())
	for range 2 {
		if _, body, err := get(t, n.URL()+"/cut/-/cut-1.0.0.tgz"); err == nil {
			t.Errorf("a transfer that broke off was answered with %q", body)
		}
	}
}

func TestNPMRegistryFailsOnDemand(t *testing.T) {
	t.Parallel()
	n := npmBefore(t, fakeNPM(t).URL, t.TempDir())
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			fmt.Fprint(w, "tampered")
		case r.URL.Path == "/down":
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
			return false
		default:
			return false
		}
		return true
	})
	if _, body, err := get(t, readMetadata(t, n).Versions["1.0.0"].Dist.Tarball); err != nil || body != "tampered" {
		t.Errorf("got %q, %v", body, err)
	}
	if _, _, err := get(t, n.URL()+"/down"); err == nil {
		t.Error("an answer came from a registry that is down")
	}
	if status, _, _ := get(t, n.URL()+"/slow"); status != http.StatusNotFound {
		t.Errorf("the slow answer has status %d", status)
	}
	n.Intercept(nil)
	if _, body, err := get(t, readMetadata(t, n).Versions["1.0.0"].Dist.Tarball); err != nil || body != "an archive" {
		t.Errorf("afterwards: %q, %v", body, err)
	}
	if n.Hits("/@a/b/-/b-1.0.0.tgz") != 2 || n.Hits("/down") == 0 { // Go's client retries
		t.Errorf("requests that failed on demand were not counted: %v", n.hits)
	}
}

func TestNPMRegistryServesManyAtOnce(t *testing.T) {
	t.Parallel()
	n := npmBefore(t, fakeNPM(t).URL, t.TempDir())
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, body, err := get(t, n.URL()+"/@a/b/-/b-1.0.0.tgz"); err != nil || body != "an archive" {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
	all.Wait()
	if n.Tarballs() != 32 {
		t.Errorf("%d archives were counted, want 32", n.Tarballs())
	}
}
