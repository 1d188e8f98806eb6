package integration

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// npmMirrorPath is the path of npmMirror's registry, and npmArchives the path of its archives.
const (
	npmMirrorPath = "/repository/npm"
	npmArchives   = "/archives"
)

// npmMirror serves an npm registry below a path, as a repository manager does. Its archives are at
// addresses that only the registry's answers contain. The caller starts it, with TLS or without.
func npmMirror(t *testing.T, npm *testenv.NPMRegistry) *httptest.Server {
	t.Helper()
	upstream, err := url.Parse(npm.URL())
	must(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	registry := http.NewServeMux()
	registry.Handle(npmArchives+"/", http.StripPrefix(npmArchives, proxy))
	registry.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".tgz") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(http.StripPrefix(npmMirrorPath, registry))
	proxy.ModifyResponse = func(res *http.Response) error {
		if res.Header.Get("Content-Type") == "application/octet-stream" {
			return nil
		}
		body, err := io.ReadAll(res.Body)
		body = bytes.ReplaceAll(body, []byte(npm.URL()), []byte(server.URL+npmMirrorPath+npmArchives))
		res.Body = io.NopCloser(bytes.NewReader(body))
		res.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return err
	}
	t.Cleanup(server.Close)
	return server
}

// httpProxy is a proxy for HTTP, and by CONNECT for HTTPS.
type httpProxy struct {
	*httptest.Server
	requests, tunnels atomic.Int64
}

func startProxy(t *testing.T) *httpProxy {
	t.Helper()
	p := &httpProxy{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *httpProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		p.requests.Add(1)
		(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
		return
	}
	p.tunnels.Add(1)
	server, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = client.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	go func() { _, _ = io.Copy(server, client) }()
	_, _ = io.Copy(client, server)
}

// unsteady makes the npm registry break off the first request for each of some packages, and delay
// the answer for some others.
func unsteady(npm *testenv.NPMRegistry) {
	const each = 5
	var mu sync.Mutex
	seen := map[string]bool{}
	first := func(path string) (nth int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if seen[path] || len(seen) == 2*each {
			return 0, false
		}
		seen[path] = true
		return len(seen), true
	}
	npm.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		nth, ok := first(r.URL.Path)
		switch {
		case !ok:
		case nth <= each:
			panic(http.ErrAbortHandler)
		default:
			time.Sleep(2 * time.Second)
		}
		return false
	})
}

// npm does its work behind proxies, with a private authority and a network that fails now and then,
// and the image contains no trace of them.
func TestServerlessBehindProxies(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	mirror := npmMirror(t, npm)
	pair, authority, err := testenv.ServerCertificate()
	must(t, err)
	mirror.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	mirror.StartTLS()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, authority, 0o600))
	cdk := cdkFile(t, testenv.Lambda20Base, testenv.Python312Base)
	build := func(registry string, more ...string) result {
		return b.build(append([]string{"-f", pairFile(t, testenv.Python312Base, testenv.Node20Base, ""), "--repo", b.repo("ci/sls"),
			"--target", "serverless", "--push", "--mirror", "https://registry.npmjs.org/=" + registry + "/"}, more...)...)
	}
	t.Run("an authority that is not trusted", func(t *testing.T) {
		b.wantFailure(build(mirror.URL+npmMirrorPath), "the npm registry's certificate is not trusted", "--secret id=ca,src=FILE")
	})
	t.Run("HTTP_PROXY", func(t *testing.T) {
		proxy := startProxy(t)
		b.wantUnknown(t, proxy, b.build("-f", cdk, "--repo", b.repo("ci/cdk"), "--push",
			"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/", "--build-arg", "HTTP_PROXY="+proxy.URL))
		if proxy.requests.Load() == 0 {
			t.Error("nothing went through the proxy")
		}
	})
	t.Run("HTTPS_PROXY, --secret id=ca, and a registry that falters", func(t *testing.T) {
		proxy := startProxy(t)
		unsteady(npm)
		defer npm.Intercept(nil)
		b.wantUnknown(t, proxy, build(mirror.URL+npmMirrorPath, "--secret", "id=ca,src="+ca, "--build-arg", "HTTPS_PROXY="+proxy.URL))
		if proxy.tunnels.Load() == 0 {
			t.Error("nothing went through the proxy")
		}
	})
	t.Run("docker buildx build --secret id=ca", func(t *testing.T) {
		file, err := os.ReadFile(cdk)
		must(t, err)
		x := b.newBuildx(startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{}))
		x.npm = mirror.URL + npmMirrorPath
		dir := x.folder(string(file))
		args := []string{"--push", "-t", x.repo("ci/buildx:1")}
		if r := x.build(dir, args...); r.code == 0 || !strings.Contains(r.stderr, "samforge: the npm registry's certificate is not trusted") {
			t.Errorf("without the secret: exit code %d, want npm to refuse the certificate:\n%s", r.code, r.stderr)
		}
		x.build(dir, append(args, "--secret", "id=ca,src="+ca)...).ok(t)
	})
}

// wantUnknown fails the test if the built image mentions the proxy.
func (b *bed) wantUnknown(t *testing.T, proxy *httpProxy, r result) {
	t.Helper()
	image, err := b.Registry.ReadImage(t.Context(), r.ok(t)[0], "linux/amd64", testenv.OnlyLayers(1000))
	must(t, err)
	text, err := json.Marshal([]any{image.Config, image.History, image.Manifest})
	must(t, err)
	if strings.Contains(string(text), strings.TrimPrefix(proxy.URL, "http://")) {
		t.Errorf("the proxy is in the image: %s", text)
	}
}

// A node image without Node.js is named in the error, whatever the variant and the layout.
func TestNodeImageWithoutNode(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	const empty = "public.ecr.aws/sam/build-nodejs20.x:1.150.0-20251211000000"
	b.base(empty, "java21", "amd64")
	for _, layout := range []string{"merged", "isolated"} {
		for _, variant := range []string{"serverless", "base"} {
			t.Run(layout+" "+variant, func(t *testing.T) {
				r := b.build("-f", pairFile(t, testenv.Python312Base, empty, "node: {layout: "+layout+"}\n"), "--repo", b.repo("ci/sls"),
					"--target", variant, "--push", "--mirror", "https://registry.npmjs.org/="+npm.URL()+"/")
				b.wantFailure(r, "node image "+empty, "/var/lang/bin/node")
			})
		}
	}
}

// A pair that cannot work is refused before any request is sent.
func TestImpossiblePair(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	var requests atomic.Int64
	b.Registry.Intercept(func(http.ResponseWriter, *http.Request) bool {
		requests.Add(1)
		return false
	})
	for name, c := range map[string]struct{ runtime, node, want string }{
		"an older C library":    {testenv.Python311Base, testenv.Node20Base, "nodejs20.x needs glibc 2.28: use nodejs18.x"},
		"two times Node.js":     {testenv.Node22Base, testenv.Node20Base, "one would overwrite the other"},
		"no Node.js, by a name": {testenv.Python312Base, testenv.Java21Base, "has no Node.js"},
	} {
		r := b.build("-f", pairFile(t, c.runtime, c.node, ""), "--repo", b.repo("ci/sls"), "--push",
			"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/")
		if r.code != 2 || !strings.Contains(r.stderr, c.want) || !strings.Contains(r.stderr, "samforge.yaml:5") {
			t.Errorf("%s: exit code %d, want 2 and %q at samforge.yaml:5:\n%s", name, r.code, c.want, r.stderr)
		}
	}
	if requests.Load() != 0 || npm.Requests() != 0 {
		t.Errorf("the registries got %d and %d requests", requests.Load(), npm.Requests())
	}
}
