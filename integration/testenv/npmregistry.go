// The npm registry: a proxy on loopback in front of the registry that this machine uses.

package testenv

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// NPMRegistry is a read-only npm registry on loopback: a proxy that counts, in front of the
// registry that this machine's npm is configured for. It uses plain HTTP, so that a build step with
// the host's network needs no certificates.
//
// It keeps what it fetches in the user's cache directory: a package for ever, a list of versions
// for a day, and longer if the registry does not answer. Its methods are safe for concurrent use.
type NPMRegistry struct {
	url       string
	upstream  string // without a slash at its end
	client    *http.Client
	cache     string
	server    *http.Server
	intercept atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	fetched   atomic.Int64 // requests to upstream, for the tests

	mu       sync.Mutex
	requests int
	tarballs int
	hits     map[string]int
}

// StartNPMRegistry starts a registry. The context limits only the start.
func StartNPMRegistry(ctx context.Context) (*NPMRegistry, error) {
	upstream, client, err := npmUpstream()
	if err != nil {
		return nil, fmt.Errorf("starting an npm registry: %w", err)
	}
	cache, err := cachePath("npm", "1", upstream)
	if err != nil {
		return nil, err
	}
	return startNPMRegistry(ctx, upstream, client, cache)
}

func startNPMRegistry(ctx context.Context, upstream string, client *http.Client, cache string) (*NPMRegistry, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("starting an npm registry: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting an npm registry: %w", err)
	}
	n := &NPMRegistry{
		url: "http://" + listener.Addr().String(), upstream: strings.TrimSuffix(upstream, "/"),
		client: client, cache: cache, hits: map[string]int{},
	}
	n.server = &http.Server{Handler: n, ReadHeaderTimeout: time.Minute}
	go func() { _ = n.server.Serve(listener) }()
	return n, nil
}

// npmConfig asks npm for the registry of this machine, and how to reach it, once: npm takes half a
// second to answer.
var npmConfig = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("npm", "config", "get", "registry", "cafile", "https-proxy")
	cmd.Dir = os.TempDir() // outside of any project's .npmrc
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking npm for its registry: %w", err)
	}
	config := map[string]string{}
	for line := range strings.Lines(string(output)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && value != "null" {
			config[key] = value
		}
	}
	if _, err := url.Parse(config["registry"]); err != nil || config["registry"] == "" {
		return nil, errors.New("npm config get registry names no registry")
	}
	return config, nil
})

// npmUpstream returns the registry of this machine, and a client that reaches it.
func npmUpstream() (registry string, _ *http.Client, err error) {
	config, err := npmConfig()
	if err != nil {
		return "", nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, file := range []string{config["cafile"], os.Getenv("NODE_EXTRA_CA_CERTS")} {
		if certificates, err := os.ReadFile(file); err == nil {
			roots.AppendCertsFromPEM(certificates)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.MaxIdleConnsPerHost = 32
	transport.ResponseHeaderTimeout = time.Minute
	if proxy, err := url.Parse(config["https-proxy"]); err == nil && config["https-proxy"] != "" {
		transport.Proxy = http.ProxyURL(proxy)
	}
	return config["registry"], &http.Client{Transport: transport}, nil
}

// URL returns the registry's address without a slash at its end.
func (n *NPMRegistry) URL() string { return n.url }

// Close stops the registry and cuts its connections.
func (n *NPMRegistry) Close() error {
	err := n.server.Close()
	n.client.CloseIdleConnections()
	return err
}

// Requests returns how many requests came since the last Reset, whatever the answer.
func (n *NPMRegistry) Requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests
}

// Tarballs returns how many requests were for the archive of a package.
func (n *NPMRegistry) Tarballs() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tarballs
}

// Hits returns how many requests were for path, such as /left-pad, /@aws-sdk/client-s3 or
// /left-pad/-/left-pad-1.3.0.tgz.
func (n *NPMRegistry) Hits(path string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hits["/"+strings.TrimPrefix(path, "/")]
}

// Reset clears the counts.
func (n *NPMRegistry) Reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests, n.tarballs = 0, 0
	clear(n.hits)
}

// Intercept makes f handle every request first, after it was counted. f answers it and returns
// true, or returns false to let it through. nil removes f.
func (n *NPMRegistry) Intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	if f == nil {
		n.intercept.Store(nil)
		return
	}
	n.intercept.Store(&f)
}

// elsewhere is the path of archives that upstream has on other hosts.
const elsewhere = "/-/elsewhere/"

func isTarball(path string) bool {
	return strings.HasSuffix(path, ".tgz") || strings.HasPrefix(path, elsewhere)
}

// ServeHTTP answers as the registry does.
func (n *NPMRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.requests++
	n.hits[r.URL.Path]++
	if isTarball(r.URL.Path) {
		n.tarballs++
	}
	n.mu.Unlock()
	if f := n.intercept.Load(); f != nil && (*f)(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "this registry is read-only", http.StatusMethodNotAllowed)
		return
	}
	if isTarball(r.URL.Path) {
		n.serveTarball(w, r)
	} else {
		n.serveMetadata(w, r)
	}
}

// serveTarball sends an archive from the cache, or while it is downloaded from upstream.
func (n *NPMRegistry) serveTarball(w http.ResponseWriter, r *http.Request) {
	address := n.upstream + r.URL.EscapedPath()
	if encoded, ok := strings.CutPrefix(r.URL.Path, elsewhere); ok {
		decoded, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		address = string(decoded)
	}
	cached := n.cachedFile(address)
	w.Header().Set("Content-Type", "application/octet-stream")
	if file, err := os.Open(cached); err == nil {
		defer file.Close()
		http.ServeContent(w, r, "", time.Time{}, file)
		return
	}
	res, err := n.fetch(r.Context(), address, "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	if res.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	if res.StatusCode != http.StatusOK {
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
		return
	}
	client := io.Writer(w)
	if r.Method == http.MethodHead {
		client = io.Discard
	}
	err = writeCached(cached, func(file *os.File) error {
		_, err := io.Copy(io.MultiWriter(client, file), res.Body)
		return err
	})
	if err != nil {
		panic(http.ErrAbortHandler) // the client must not take half an archive for a whole one
	}
}

// serveMetadata sends upstream's metadata of a package. It changes the addresses of the archives to
// this registry.
func (n *NPMRegistry) serveMetadata(w http.ResponseWriter, r *http.Request) {
	address := n.upstream + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		address += "?" + r.URL.RawQuery
	}
	// npm install requests less than other clients:
	// https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
	accept := "application/json"
	if short := "application/vnd.npm.install-v1+json"; strings.Contains(r.Header.Get("Accept"), short) {
		accept = short
	}
	body, status, err := n.metadata(r.Context(), address, accept)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	body = n.rewrite(body)
	w.Header().Set("Content-Type", accept)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// metadata returns a fresh answer from the cache, else the one of upstream, else an old one.
func (n *NPMRegistry) metadata(ctx context.Context, address, accept string) (body []byte, status int, err error) {
	cached := n.cachedFile(accept + " " + address)
	if info, err := os.Stat(cached); err == nil && time.Since(info.ModTime()) < 24*time.Hour {
		if body, err := os.ReadFile(cached); err == nil {
			return body, http.StatusOK, nil
		}
	}
	res, err := n.fetch(ctx, address, accept)
	if err == nil {
		defer res.Body.Close()
		body, err = io.ReadAll(res.Body)
	}
	if err != nil || res.StatusCode >= 500 {
		if old, readErr := os.ReadFile(cached); readErr == nil {
			return old, http.StatusOK, nil
		}
	}
	if err != nil {
		return nil, 0, err
	}
	if res.StatusCode == http.StatusOK {
		err = writeCached(cached, func(file *os.File) error {
			_, err := file.Write(body)
			return err
		})
	}
	return body, res.StatusCode, err
}

// fetch sends a request to upstream. The client's headers, such as credentials, are not passed on.
func (n *NPMRegistry) fetch(ctx context.Context, address, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	n.fetched.Add(1)
	return n.client.Do(req)
}

func (n *NPMRegistry) cachedFile(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(n.cache, hex.EncodeToString(sum[:16]))
}

var tarballField = regexp.MustCompile(`("tarball"\s*:\s*")(https?:[^"]+)"`)

// rewrite changes every archive's address to this registry.
func (n *NPMRegistry) rewrite(metadata []byte) []byte {
	return tarballField.ReplaceAllFunc(metadata, func(field []byte) []byte {
		m := tarballField.FindSubmatch(field)
		address := strings.ReplaceAll(string(m[2]), `\/`, "/")
		if path, ok := strings.CutPrefix(address, n.upstream); ok && isTarball(path) {
			address = n.url + path
		} else {
			address = n.url + elsewhere + base64.RawURLEncoding.EncodeToString([]byte(address))
		}
		return []byte(string(m[1]) + address + `"`)
	})
}
