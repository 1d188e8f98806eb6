package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/samforge/samforge/internal/credentials"
)

// network checks the settings for proxies and certificate authorities.
func (m Machine) network() []Finding { return []Finding{m.proxies(), m.authorities()} }

// proxies checks the variables that Go and BuildKit read, see net/http.ProxyFromEnvironment.
func (m Machine) proxies() Finding {
	const check = "proxies"
	var set []string
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		value := m.Getenv(name)
		if value == "" {
			continue
		}
		proxy := value
		if !strings.Contains(proxy, "://") {
			proxy = "http://" + proxy
		}
		if u, err := url.Parse(proxy); err != nil || u.Hostname() == "" {
			return Finding{check, Problem, fmt.Sprintf("%s is no address of a proxy", name), []Remedy{
				{"anywhere", name + "=http://proxy.example.com:3128"},
			}}
		}
		set = append(set, name+"="+credentials.Mask(value))
	}
	if len(set) == 0 {
		return ok(check, "none is set")
	}
	detail := "requests go through " + strings.Join(set, ", ")
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if value := m.Getenv(name); value != "" {
			return ok(check, detail+"; not those to "+value)
		}
	}
	return Finding{check, Warning, detail + ", those to registries inside the network too: NO_PROXY is not set", []Remedy{
		{"anywhere", "NO_PROXY=localhost,127.0.0.1,.svc,.cluster.local,registry.example.com"},
	}}
}

// systemBundles are where Go looks for the authorities of a Linux system, see root_linux.go of
// crypto/x509.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// authorities checks that there are certificate authorities to trust.
func (m Machine) authorities() Finding {
	const check = "certificate authorities"
	bundle := m.Getenv("SSL_CERT_FILE")
	if bundle != "" {
		count, err := m.certificates(bundle)
		switch {
		case err != nil:
			return Finding{check, Problem, fmt.Sprintf("SSL_CERT_FILE cannot be read: %v", err), trust(bundle)}
		case count == 0:
			return Finding{check, Problem, "SSL_CERT_FILE=" + bundle + " has no certificate in PEM form", trust(bundle)}
		}
		return ok(check, fmt.Sprintf("SSL_CERT_FILE=%s has %d, which replace the system's", bundle, count))
	}
	for _, file := range systemBundles {
		if count, _ := m.certificates(file); count > 0 {
			return ok(check, fmt.Sprintf("%s has %d", file, count))
		}
	}
	for _, folder := range filepath.SplitList(m.Getenv("SSL_CERT_DIR")) {
		if folder != "" {
			return ok(check, "those of SSL_CERT_DIR="+folder)
		}
	}
	return Finding{check, Problem, "this machine trusts no certificate authority, so no registry can be reached over TLS", trust("/etc/ssl/certs/company.pem")}
}

func trust(file string) []Remedy {
	return []Remedy{
		{dockerRun, fmt.Sprintf("--volume %[1]s:%[1]s:ro --env SSL_CERT_FILE=%[1]s", file)},
		{kubernetes, "env:\n- {name: SSL_CERT_FILE, value: " + file + "}\nvolumeMounts:\n- {name: ca, mountPath: " + filepath.Dir(file) + ", readOnly: true}"},
		{host, "apt-get install ca-certificates; add your own with update-ca-certificates"},
	}
}

// certificates counts the certificates in a PEM file.
func (m Machine) certificates(file string) (count int, err error) {
	text, err := m.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return count, nil
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			count++
		}
	}
}
