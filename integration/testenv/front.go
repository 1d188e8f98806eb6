// Other addresses of a registry, which behave as some registries do.

package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// FrontOptions says how a [Front] behaves. The zero value is an open one in plain HTTP.
type FrontOptions struct {
	// TLS serves with a certificate of an unknown authority, see [Front.CAFile].
	TLS bool
	// ClientCA is the file of an authority, in PEM, that has to have signed the certificate of a
	// client.
	ClientCA string
	// User and Password are required, with basic authentication.
	User, Password string
	// NoHEAD answers HEAD requests for manifests with 405, and BareHEAD without any header.
	NoHEAD, BareHEAD bool
	// Late hides manifests that were pushed until [Front.Settle].
	Late bool
	// RefuseMounts is the status of the answer to requests to mount a blob; 0 mounts.
	RefuseMounts int
	// Breaks, unless empty, breaks a quarter of the requests. It is the seed that decides which and
	// how.
	Breaks string
	// Overload, unless empty, answers a tenth of the requests as a registry does that is asked too
	// much. It is the seed that decides which and how.
	Overload string
}

// Front is another address of a registry, with the same images. Its methods are safe for concurrent
// use.
type Front struct {
	// Addr is the host and port that clients use.
	Addr string
	// CAFile is the certificate of the authority, with TLS.
	CAFile string

	registry *Registry
	options  FrontOptions
	server   *http.Server
	settled  atomic.Bool
	pushed   sync.Map // paths of manifests that were pushed, by tag and by digest
	refused  atomic.Int64
	breaker  breaker
}

// Front opens another address of the registry. It ends with the registry, or with Close.
func (r *Registry) Front(options FrontOptions) (*Front, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a front of a registry: %w", err)
	}
	f := &Front{Addr: listener.Addr().String(), registry: r, options: options, breaker: breaker{seed: options.Breaks + options.Overload, asked: map[string]int{}}}
	if options.TLS {
		certificate, authority, err := ServerCertificate()
		if err == nil {
			f.CAFile = r.dir.join("front-" + f.Addr + ".pem")
			err = os.WriteFile(f.CAFile, authority, 0o644)
		}
		if err != nil {
			listener.Close()
			return nil, fmt.Errorf("making the certificate of a front: %w", err)
		}
		config := &tls.Config{Certificates: []tls.Certificate{certificate}}
		if options.ClientCA != "" {
			data, err := os.ReadFile(options.ClientCA)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("starting a front of a registry: %w", err), listener.Close())
			}
			config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			config.ClientCAs.AppendCertsFromPEM(data)
		}
		listener = tls.NewListener(listener, config)
	}
	f.server = &http.Server{Handler: f}
	go func() { _ = f.server.Serve(listener) }()
	return f, nil
}

// Close stops the front. The registry goes on.
func (f *Front) Close() error { return f.server.Close() }

// Settle shows all manifests from now on.
func (f *Front) Settle() { f.settled.Store(true) }

// Broken returns how many requests were broken.
func (f *Front) Broken() int {
	f.breaker.mu.Lock()
	defer f.breaker.mu.Unlock()
	return f.breaker.broken
}

// Refused returns how many requests to mount a blob were refused.
func (f *Front) Refused() int { return int(f.refused.Load()) }

// ServeHTTP answers as the options say, and passes all other requests to the registry.
func (f *Front) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	scheme := "http://"
	if f.options.TLS {
		scheme = "https://"
	}
	w = &secureRealm{w, "http://" + f.registry.Addr, scheme + req.Host}
	_, kind, _ := splitPath(req.URL.Path)
	head := req.Method == http.MethodHead && kind == "manifests"
	user, password, _ := req.BasicAuth()
	switch {
	case f.options.Breaks != "":
		f.breaker.serve(f.registry.serve, w, req)
	case f.options.Overload != "":
		f.breaker.overload(f.registry.serve, w, req)
	case f.options.User != "" && (user != f.options.User || password != f.options.Password):
		w.Header().Set("WWW-Authenticate", `Basic realm="front"`)
		writeError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	case head && f.options.NoHEAD:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case f.options.Late && !f.settled.Load() && kind == "manifests" && f.hides(req):
		writeError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	case f.options.RefuseMounts != 0 && req.Method == http.MethodPost && req.URL.Query().Has("mount"):
		f.refused.Add(1)
		writeError(w, f.options.RefuseMounts, "DENIED", "requested access to the resource is denied")
	case head && f.options.BareHEAD:
		f.registry.serve(&bare{ResponseWriter: w}, req)
	default:
		f.registry.serve(w, req)
	}
}

// hides reports whether to hide the manifest that a request reads because it was pushed through the
// front. It records pushes.
func (f *Front) hides(req *http.Request) bool {
	repository, _, name := splitPath(req.URL.Path)
	if req.Method == http.MethodPut {
		f.pushed.Store(repository, true)
		return false
	}
	_, pushed := f.pushed.Load(repository)
	return pushed && name != ""
}

// bare leaves out the headers that identify a manifest.
type bare struct{ http.ResponseWriter }

func (b *bare) WriteHeader(status int) {
	for _, name := range []string{"Docker-Content-Digest", "Etag"} {
		b.Header().Del(name)
	}
	b.ResponseWriter.WriteHeader(status)
}

// AnyAddr is the same address in a form without the loopback interface. Clients take it for a
// remote host and so use it only with TLS.
func (f *Front) AnyAddr() string { return strings.Replace(f.Addr, "127.0.0.1", "0.0.0.0", 1) }
