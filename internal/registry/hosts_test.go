package registry

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	resolverconfig "github.com/moby/buildkit/util/resolver/config"
)

// The client reaches one registry as configured, and others as before.
func TestReach(t *testing.T) {
	t.Parallel()
	yes := true
	secure := httptest.NewTLSServer(registry.New())
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(registry.New())
	t.Cleanup(plain.Close)
	host := func(s *httptest.Server) string {
		parsed, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Host
	}
	// Clients do not take this one to be on loopback, and so use it with TLS only.
	far := strings.Replace(host(plain), "127.0.0.1", "0.0.0.0", 1)
	insecure := Hosts{host(secure): {Insecure: &yes}, far: {Insecure: &yes, PlainHTTP: &yes}}
	for name, c := range map[string]struct {
		hosts Hosts
		host  string
		want  string // of the error
	}{
		"an unknown authority":         {nil, host(secure), "does not know the authority"},
		"any authority":                {insecure, host(secure), ""},
		"plain HTTP":                   {nil, far, "speaks plain HTTP"},
		"plain HTTP, allowed":          {insecure, far, ""},
		"plain HTTP, and nothing else": {Hosts{far: {PlainHTTP: &yes}}, far, ""},
		"of another registry":          {Hosts{far: {Insecure: &yes}}, host(secure), "does not know the authority"},
	} {
		client := NewClient(NewKeychain(nil, AWS{}), 0)
		if err := client.Reach(c.hosts); err != nil {
			t.Fatal(err)
		}
		_, there, err := client.Digest(t.Context(), c.host+"/a:1")
		if c.want == "" && (there || err != nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %t, %v, want %q", name, there, err, c.want)
		}
	}
	if err := NewClient(nil, 0).Reach(Hosts{"a": {RootCAs: []string{"/nowhere"}}}); err == nil {
		t.Error("a missing file is no error")
	}
}

// A registry in plain HTTP may have a token service with TLS, which gets no password without it.
func TestPlainHTTPIsForOneHost(t *testing.T) {
	t.Parallel()
	yes := true
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	client := NewClient(nil, 0)
	if err := client.Reach(Hosts{"registry.example.com": {PlainHTTP: &yes}}); err != nil {
		t.Fatal(err)
	}
	via, _ := client.Transport("registry.example.com")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := via.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("the token service is asked without TLS: %v", err)
	}
}

// Docker Hub has three names, and one configuration.
func TestTransportOfDockerHub(t *testing.T) {
	t.Parallel()
	client := NewClient(nil, 0)
	if err := client.Reach(Hosts{"docker.io": resolverconfig.RegistryConfig{}}); err != nil {
		t.Fatal(err)
	}
	var first http.RoundTripper
	for _, host := range []string{"docker.io", "index.docker.io", "registry-1.docker.io"} {
		via, ok := client.Transport(host)
		if first == nil {
			first = via
		}
		if !ok || via != first {
			t.Errorf("%s: got %v, %t", host, via, ok)
		}
	}
	if _, ok := client.Transport("example.com"); ok {
		t.Error("another host has a transport of its own")
	}
}

func TestCertificatesThatAreNone(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"an authority":           CheckAuthorities(text),
		"an authority, missing":  CheckAuthorities("/nowhere"),
		"an endless authority":   CheckAuthorities("/dev/zero"),
		"a key pair":             CheckKeyPair(text, text),
		"a key pair, half of it": CheckKeyPair(text, "/nowhere"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
