package registry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/util/resolver"
	resolverconfig "github.com/moby/buildkit/util/resolver/config"

	"github.com/samforge/samforge/internal/userfile"
)

// Hosts say how registries are reached, by their host, with the meaning of the section registry of
// buildkitd.toml: https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md
type Hosts map[string]resolverconfig.RegistryConfig

// maxCertificates is the maximum size in bytes of a file of certificates.
const maxCertificates = 4 << 20

// CheckAuthorities returns an error if a file has no certificate of an authority, in PEM.
func CheckAuthorities(path string) error {
	data, err := userfile.Read(path, maxCertificates)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return fmt.Errorf("%s has no certificate in PEM", path)
	}
	return nil
}

// CheckKeyPair returns an error if two files are not a certificate and its key, in PEM.
func CheckKeyPair(certificate, key string) error {
	for _, path := range []string{certificate, key} {
		if _, err := userfile.Read(path, maxCertificates); err != nil {
			return err
		}
	}
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		return fmt.Errorf("%s and %s are no certificate with its key: %w", certificate, key, err)
	}
	return nil
}

// Reach makes the client reach registries as hosts say. Call it before the client is used. It fails
// if a file with certificates cannot be read.
func (c *Client) Reach(hosts Hosts) error {
	c.hosts = map[string]http.RoundTripper{}
	for host, config := range hosts {
		// BuildKit's own transport, so that the client and the builder agree.
		found, err := resolver.NewRegistryConfig(hosts)(host)
		if err != nil {
			return fmt.Errorf("how to reach %s: %w", host, err)
		}
		own := found[len(found)-1] // after the mirrors
		via := own.Client.Transport
		if config.PlainHTTP != nil && own.Scheme == "http" {
			via = plainHTTP{host, via}
		}
		c.hosts[normalized(host)] = via
	}
	return nil
}

// Transport returns what sends requests to the registry at host, and to its token service. ok is
// false if the host is reached like any other.
func (c *Client) Transport(host string) (via http.RoundTripper, ok bool) {
	if host == dockerHubAPI {
		host = name.DefaultRegistry
	}
	via, ok = c.hosts[normalized(host)]
	return via, ok
}

// dockerHubAPI is the host that builders ask for images of Docker Hub.
const dockerHubAPI = "registry-1.docker.io"

// transport is Transport with the default for all other hosts.
func (c *Client) transport(of name.Registry) http.RoundTripper {
	if via, ok := c.Transport(of.RegistryStr()); ok {
		return via
	}
	return remote.DefaultTransport
}

// plainHTTP sends requests to one host in plain HTTP. Its token service may be another one.
type plainHTTP struct {
	host  string
	inner http.RoundTripper
}

func (t plainHTTP) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != t.host {
		return t.inner.RoundTrip(req)
	}
	plain := req.Clone(req.Context())
	plain.URL.Scheme = "http"
	return t.inner.RoundTrip(plain)
}
