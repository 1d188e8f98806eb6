// The registry: the distribution registry on a Unix socket, and a proxy on loopback in front of it.
// All clients use the proxy.

package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Account is what one user of a registry may do. Every account may pull.
type Account struct {
	Password string
	Push     bool
	// Only is the beginning of the repositories that the account may use, with TokenAuth; empty means
	// all of them.
	Only string
}

// RegistryOptions says how a registry behaves. The zero value is an open one.
type RegistryOptions struct {
	// BasicAuth requires a user and password (htpasswd). A push by an account without the right
	// gets 403 DENIED, as with Amazon ECR.
	BasicAuth bool
	// TokenAuth sends clients to a token server, as Docker Hub does. A push by an account without
	// the right gets 401 insufficient_scope.
	TokenAuth bool
	// Users maps a user's name to the account, for either kind of authentication.
	Users map[string]Account
	// AnonymousPull makes the token server issue pull tokens to anonymous clients.
	AnonymousPull bool
	// ImmutableTags refuses to move a tag, with the answer that Amazon ECR gives.
	ImmutableTags bool
}

// Registry is a running registry. Its methods are safe for concurrent use.
type Registry struct {
	// Addr is the host and port that clients use, such as 127.0.0.1:41234.
	Addr string

	options   RegistryOptions
	dir       *workDir
	process   *process
	socket    string
	upstream  *http.Transport // of the proxy
	server    *http.Server
	tokens    *tokenServer
	counter   *counter
	intercept atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	password  string // for the account that this package itself uses
}

const internalUser = "testenv"

// StartRegistry starts a registry with an empty storage and waits until it answers.
func StartRegistry(ctx context.Context, options RegistryOptions) (*Registry, error) {
	if options.BasicAuth && options.TokenAuth {
		return nil, errors.New("a registry has either BasicAuth or TokenAuth: set one of them")
	}
	dir, err := newWorkDir()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting a registry: %w", err), dir.remove())
	}
	r := &Registry{
		Addr:     listener.Addr().String(),
		options:  options,
		dir:      dir,
		socket:   dir.join("registry.sock"),
		counter:  newCounter(),
		password: randomHex(),
	}
	r.upstream = r.socketTransport()
	r.upstream.DisableKeepAlives = false // every build uses the proxy, and a connection for each request costs it time
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }()

	if err := r.Start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Kill ends the registry at once, as a crash does, and cuts the connections to it. Clients get 502
// until [Registry.Start].
func (r *Registry) Kill() { r.process.kill() }

// Start starts the registry again after Kill, at the same address and with the same storage, and
// waits until it answers.
func (r *Registry) Start(ctx context.Context) error {
	program, err := Tool("registry")
	if err != nil {
		return err
	}
	config, err := r.config()
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.dir.join("config.yml"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("configuring a registry: %w", err)
	}
	cmd := exec.Command(program, "serve", r.dir.join("config.yml"))
	cmd.Dir = r.dir.path
	cmd.Env = []string{"HOME=" + r.dir.path, "TMPDIR=" + r.dir.path, "OTEL_TRACES_EXPORTER=none"}
	if r.process, err = startProcess(cmd); err != nil {
		return err
	}
	client := &http.Client{Transport: r.direct()}
	return r.process.waitReady(ctx, 20*time.Second, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Addr+"/v2/", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close() // 401 is an answer too
	})
}

// config writes the configuration of the distribution registry
// (https://distribution.github.io/distribution/about/configuration/).
func (r *Registry) config() (string, error) {
	auth, err := r.authConfig()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {net: unix, addr: %q, relativeurls: true}
%s`, r.dir.join("storage"), r.socket, auth), nil
}

// serve is the proxy's handler.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	if f := r.intercept.Load(); f != nil && (*f)(w, req) {
		return
	}
	switch {
	case r.tokens != nil && req.URL.Path == tokenPath:
		r.tokens.ServeHTTP(w, req)
	case r.options.BasicAuth && r.refusesPush(req):
		writeError(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied: this account may not push")
	case r.options.ImmutableTags && r.refusesTag(w, req):
	default:
		proxy := httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: r.Addr})
				p.Out.Host = p.In.Host // upload locations lead back through the proxy
				r.counter.request(p.Out)
			},
			ModifyResponse: r.counter.response,
			Transport:      r.upstream,
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
				w.WriteHeader(http.StatusBadGateway)
			},
		}
		proxy.ServeHTTP(w, req)
	}
}

// Intercept makes f handle every request first. f answers it and returns true, or returns false to
// let it through. nil removes f. f does not see [Registry.Push] and [Registry.ReadImage].
func (r *Registry) Intercept(f func(w http.ResponseWriter, req *http.Request) bool) {
	if f == nil {
		r.intercept.Store(nil)
		return
	}
	r.intercept.Store(&f)
}

// Close kills the registry, cuts every connection and removes the storage. Calling it again does
// nothing.
func (r *Registry) Close() error {
	_ = r.server.Close()
	r.upstream.CloseIdleConnections()
	if r.process != nil {
		r.process.kill()
	}
	return r.dir.remove()
}

// Log returns the end of the registry's log.
func (r *Registry) Log() string { return r.process.log.String() }

// publicPrefixes maps each public registry to the path prefix under which its images are published.
var publicPrefixes = map[string]string{
	"public.ecr.aws":  "ecr",
	"index.docker.io": "hub",
}

// Ref returns the reference of the same image in this registry. A public name
// (public.ecr.aws/sam/build-nodejs22.x:1, docker:28.5.2-cli) gets the path that it is published
// under; a reference to this registry stays as it is.
func (r *Registry) Ref(ref string) (string, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", fmt.Errorf("reading the reference %q: %w", ref, err)
	}
	host := parsed.Context().RegistryStr()
	if host == r.Addr {
		return ref, nil
	}
	prefix, ok := publicPrefixes[host]
	if !ok {
		return "", fmt.Errorf("%s is on %s, which this registry (%s) does not stand in for: use public.ecr.aws, docker.io or the registry itself", ref, host, r.Addr)
	}
	separator := ":"
	if _, ok := parsed.(name.Digest); ok {
		separator = "@"
	}
	return r.Addr + "/" + prefix + "/" + parsed.Context().RepositoryStr() + separator + parsed.Identifier(), nil
}

// Mirrors returns where the public registries are mirrored, in the form of buildkitd's and
// samforge's configuration.
func (r *Registry) Mirrors() map[string]string {
	return map[string]string{"public.ecr.aws": r.Addr + "/ecr", "docker.io": r.Addr + "/hub"}
}

// reference parses ref for use with [Registry.remoteOptions].
func (r *Registry) reference(ref string) (name.Reference, error) {
	own, err := r.Ref(ref)
	if err != nil {
		return nil, err
	}
	return name.ParseReference(own, name.Insecure)
}

// remoteOptions make go-containerregistry use the registry behind the proxy: nothing is counted,
// intercepted or refused.
func (r *Registry) remoteOptions(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(r.direct())}
	if r.options.BasicAuth || r.options.TokenAuth {
		options = append(options, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: internalUser, Password: r.password})))
	}
	return options
}

// direct sends requests to the registry behind the proxy. Token requests go to the token server,
// which is part of the proxy.
func (r *Registry) direct() http.RoundTripper {
	socket := r.socketTransport()
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if strings.HasPrefix(req.URL.Path, tokenPath) {
			return http.DefaultTransport.RoundTrip(req)
		}
		return socket.RoundTrip(req)
	})
}

func (r *Registry) socketTransport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
		},
		DisableKeepAlives: true, // a Unix socket is cheap, an idle connection outlives its user
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
