package builder

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	dockerhelper "github.com/docker/cli/cli/connhelper"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/connhelper"
)

// endpoint is a Docker engine as the docker CLI would find it.
type endpoint struct {
	host     string // unix:///var/run/docker.sock
	certs    string // directory with ca.pem, cert.pem, key.pem; empty means no TLS
	insecure bool   // TLS without verifying the engine
	err      error  // why the endpoint is not known
}

// dockerEndpoint follows the docker CLI: DOCKER_HOST (with DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH), else the
// context in DOCKER_CONTEXT or config.json, else the default socket.
func (o Options) dockerEndpoint() endpoint {
	home, _ := os.UserHomeDir() // HOME on Unix, USERPROFILE on Windows
	config := cmp.Or(o.env("DOCKER_CONFIG"), filepath.Join(cmp.Or(o.env("HOME"), home), ".docker"))
	if host := o.env("DOCKER_HOST"); host != "" {
		e := endpoint{host: host}
		verify := o.env("DOCKER_TLS_VERIFY") != ""
		if verify || o.env("DOCKER_TLS") != "" {
			e.certs, e.insecure = cmp.Or(o.env("DOCKER_CERT_PATH"), config), !verify
		}
		return e
	}
	name := o.env("DOCKER_CONTEXT")
	if name == "" {
		var file struct{ CurrentContext string }
		if dt, err := os.ReadFile(filepath.Join(config, "config.json")); err == nil {
			_ = json.Unmarshal(dt, &file) // a broken file is reported where credentials are read
		}
		name = file.CurrentContext
	}
	if name == "" || name == "default" {
		if runtime.GOOS == "windows" {
			return endpoint{host: "npipe:////./pipe/docker_engine"}
		}
		return endpoint{host: "unix:///var/run/docker.sock"}
	}
	return contextEndpoint(config, name)
}

// contextEndpoint reads the docker CLI's context store: contexts/{meta,tls}/<sha256 of the name>.
func contextEndpoint(config, name string) endpoint {
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	e := endpoint{host: "context " + name}
	dt, err := os.ReadFile(filepath.Join(config, "contexts", "meta", id, "meta.json"))
	if err == nil {
		err = json.Unmarshal(dt, &meta)
	}
	if err != nil {
		e.err = fmt.Errorf("read the docker context: %w", err)
		return e
	}
	docker := meta.Endpoints["docker"]
	if docker.Host == "" {
		e.err = errors.New("the docker context names no host")
		return e
	}
	e.host, e.insecure = docker.Host, docker.SkipTLSVerify
	certs := filepath.Join(config, "contexts", "tls", id, "docker")
	if _, err := os.Stat(certs); err == nil || e.insecure {
		e.certs = certs
	}
	return e
}

// dockerEngine returns the BuildKit inside a Docker engine. It is reached, as docker buildx does it, by two upgraded HTTP
// requests: POST /grpc carries the client's connection and POST /session each session's.
func dockerEngine(ctx context.Context, e endpoint, timeout time.Duration) (*Builder, error) {
	if e.err != nil {
		return nil, e.err
	}
	dialGRPC := func(ctx context.Context, _ string) (net.Conn, error) {
		return e.hijack(ctx, "/grpc", "h2c", nil)
	}
	dialSession := func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return e.hijack(ctx, "/session", proto, meta)
	}
	c, err := client.New(ctx, "", client.WithContextDialer(dialGRPC), client.WithSessionDialer(dialSession))
	if err != nil {
		return nil, err
	}
	return answered(ctx, &Builder{Address: e.host, Kind: Docker, client: c, dialSession: dialSession}, timeout)
}

// hijack sends a POST that asks for the protocol proto and returns the connection once the engine has switched to it.
func (e endpoint) hijack(ctx context.Context, path, proto string, meta map[string][]string) (_ net.Conn, err error) {
	conn, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	// Closing is what every connection can do; deadlines mean nothing to one through ssh.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://docker"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, values := range meta {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", proto)
	if err := req.Write(conn); err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, fmt.Errorf("POST %s: the engine has no BuildKit to offer (%s %s)", path, resp.Status, strings.TrimSpace(string(body)))
	}
	return &bufferedConn{Conn: conn, r: r}, nil
}

// dial connects to the engine itself.
func (e endpoint) dial(ctx context.Context) (net.Conn, error) {
	u, err := url.Parse(e.host)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	switch u.Scheme {
	case "unix":
		return d.DialContext(ctx, "unix", u.Path)
	case "tcp", "http", "https":
		if e.certs == "" {
			return d.DialContext(ctx, "tcp", u.Host)
		}
		config, err := e.tlsConfig(u.Hostname())
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", u.Host)
	case "ssh":
		h, err := dockerhelper.GetConnectionHelper(e.host)
		if err != nil {
			return nil, err
		}
		// The command lives as long as its context, and the connection outlives ctx.
		return h.Dialer(context.WithoutCancel(ctx), "", "")
	case "npipe":
		h, err := connhelper.GetConnectionHelper(e.host)
		if err != nil {
			return nil, err
		}
		if h != nil {
			return h.ContextDialer(ctx, e.host)
		}
	}
	return nil, fmt.Errorf("cannot reach a Docker engine over %q", u.Scheme)
}

// tlsConfig reads ca.pem, cert.pem and key.pem; each may be absent, as for the docker CLI.
func (e endpoint) tlsConfig(serverName string) (*tls.Config, error) {
	config := &tls.Config{ServerName: serverName, InsecureSkipVerify: e.insecure, MinVersion: tls.VersionTLS12}
	if ca, err := os.ReadFile(filepath.Join(e.certs, "ca.pem")); err == nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s holds no certificate", filepath.Join(e.certs, "ca.pem"))
		}
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(e.certs, "cert.pem"), filepath.Join(e.certs, "key.pem"))
	if err == nil {
		config.Certificates = []tls.Certificate{cert}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the client certificate in %s: %w", e.certs, err)
	}
	return config, nil
}

// bufferedConn reads first what came together with the response.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }
