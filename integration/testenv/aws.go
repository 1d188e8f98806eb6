// Amazon ECR under its real names: a proxy that leads them to a registry and to fakes of AWS's APIs,
// and the same for registries of others.

package testenv

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/samforge/samforge/internal/registry/awsfake"
	"github.com/samforge/samforge/internal/registry/azurefake"
)

// AWSHost is the host of the registry of [AWS], in the region AWSRegion. EntraHost is that of Microsoft
// Entra.
const (
	AWSRegion = "eu-west-1"
	EntraHost = "login.microsoftonline.com"
	AWSHost   = awsfake.Account + ".dkr.ecr." + AWSRegion + ".amazonaws.com"
)

// AWS is a proxy on loopback behind which AWS is: AWSHost and the APIs of ECR and STS. Other
// registries may be there under their real names too. Its methods are safe for concurrent use.
type AWS struct {
	awsfake.Server
	// Azure answers at EntraHost, if that is one of the names, and for registries of Azure.
	Azure azurefake.Server
	// ProxyURL is the value for HTTPS_PROXY. CAFile is the authority that clients trust then.
	ProxyURL, CAFile string

	dir      *workDir
	registry atomic.Pointer[Registry]
	proxy    *http.Server
	servers  *http.Server
	inside   string // the address of servers
}

// StartAWS starts the proxy. Its registry answers when there is one, see [AWS.Serve]. others are
// further names of it: of ECR in another region, or of registries that are not Amazon's.
func StartAWS(others ...string) (_ *AWS, err error) {
	a := &AWS{Server: awsfake.Server{Failures: map[string]string{}}}
	if a.dir, err = newWorkDir(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting AWS: %w", err), a.Close())
		}
	}()
	hosts := append([]string{AWSHost}, others...)
	for _, host := range hosts {
		if region, ok := strings.CutPrefix(host, awsfake.Account+".dkr.ecr."); ok {
			hosts = append(hosts, "api.ecr."+region, "sts."+region)
		}
	}
	pair, authority, err := ServerCertificate(hosts...)
	if err != nil {
		return nil, err
	}
	a.CAFile = a.dir.join("ca.pem")
	if err := os.WriteFile(a.CAFile, authority, 0o644); err != nil {
		return nil, err
	}
	a.servers = &http.Server{Handler: http.HandlerFunc(a.serve)}
	if a.inside, err = serveLoopback(a.servers, &tls.Config{Certificates: []tls.Certificate{pair}}); err != nil {
		return nil, err
	}
	a.proxy = &http.Server{Handler: http.HandlerFunc(a.connect)}
	address, err := serveLoopback(a.proxy, nil)
	a.ProxyURL = "http://" + address
	return a, err
}

// serveLoopback starts a server on a free port, with TLS if there is a configuration, and returns its
// address.
func serveLoopback(server *http.Server, config *tls.Config) (address string, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = listener.Addr().String()
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = server.Serve(listener) }()
	return address, nil
}

// Serve makes r the registry at AWSHost and the other names. It must ask for the user AWS and [awsfake.Password].
func (a *AWS) Serve(r *Registry) { a.registry.Store(r) }

// Close ends the proxy and what is behind it.
func (a *AWS) Close() error {
	for _, server := range []*http.Server{a.proxy, a.servers} {
		if server != nil {
			_ = server.Close()
		}
	}
	return a.dir.remove()
}

// connect leads every connection to the servers of AWS: nothing else is outside loopback.
func (a *AWS) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	server, err := net.Dial("tcp", a.inside)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, buffered)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// serve answers for the hosts of AWS and of registries.
func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	registry := a.registry.Load()
	switch {
	case strings.HasPrefix(host, "api.ecr.") || strings.HasPrefix(host, "sts."):
		a.ServeHTTP(w, r)
	case azurefake.Knows(r):
		a.Azure.ServeHTTP(w, r)
	case registry == nil:
		http.Error(w, "no registry", http.StatusBadGateway)
	case strings.Contains(host, ".dkr.ecr.") && a.unknown(r):
		repository, _, _ := splitPath(r.URL.Path)
		writeError(w, http.StatusNotFound, "NAME_UNKNOWN",
			fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", repository, awsfake.Account))
	default:
		registry.serve(&secureRealm{w, "http://" + registry.Addr, "https://" + host}, r)
	}
}

// unknown reports whether a request is about a repository that was not created. The registry would
// create it; ECR does not.
func (a *AWS) unknown(r *http.Request) bool {
	repository, kind, _ := splitPath(r.URL.Path)
	return kind != "" && a.Repository(repository) == nil
}

// secureRealm sends clients to the token server at the host that they use: they take none without
// TLS from a registry with TLS.
type secureRealm struct {
	http.ResponseWriter
	from, to string
}

func (w *secureRealm) WriteHeader(status int) {
	const name = "WWW-Authenticate"
	if challenge := w.Header().Get(name); challenge != "" {
		w.Header().Set(name, strings.Replace(challenge, w.from, w.to, 1))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *secureRealm) Unwrap() http.ResponseWriter { return w.ResponseWriter }
