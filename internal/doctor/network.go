package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/internal/credentials"
)

// network checks the settings for proxies and certificate authorities.
func (m Machine) network() []Finding {
	findings := []Finding{m.proxies(), m.authorities()}
	if file := m.Getenv("HARNESS_CA_PATH"); file != "" {
		findings = append(findings, m.bundle("HARNESS_CA_PATH", file, "which registries are trusted by too in a step"))
	}
	return findings
}

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
	if file := m.Getenv("SSL_CERT_FILE"); file != "" {
		return m.bundle("SSL_CERT_FILE", file, "which replace the system's")
	}
	for _, file := range systemBundles {
		if found, _ := m.certificates(file); len(found) > 0 {
			return ok(check, fmt.Sprintf("%s has %d", file, len(found)))
		}
	}
	for _, folder := range filepath.SplitList(m.Getenv("SSL_CERT_DIR")) {
		if folder != "" {
			return ok(check, "those of SSL_CERT_DIR="+folder)
		}
	}
	return Finding{check, Problem, "this machine trusts no certificate authority, so no registry can be reached over TLS", trust("SSL_CERT_FILE", "/etc/ssl/certs/company.pem")}
}

// publicBundle is how many certificates a file has at least that is a system's bundle of public roots.
// One of them that has expired stands in nobody's way: the distribution replaces it.
const publicBundle = 50

// bundle checks the file with certificates of authorities that a variable names.
func (m Machine) bundle(variable, file, does string) Finding {
	const check = "certificate authorities"
	found, err := m.certificates(file)
	switch {
	case err != nil:
		return Finding{check, Problem, fmt.Sprintf("%s cannot be read: %v", variable, err), trust(variable, file)}
	case len(found) == 0:
		return Finding{check, Problem, variable + "=" + file + " has no certificate in PEM form", trust(variable, file)}
	}
	var invalid []string
	for _, authority := range found {
		of := authority.Subject.String()
		switch now := m.Now(); {
		case now.After(authority.NotAfter):
			invalid = append(invalid, fmt.Sprintf("the certificate of %s expired on %s, and what it has signed is not trusted", of, authority.NotAfter.Format(time.DateOnly)))
		case now.Before(authority.NotBefore):
			invalid = append(invalid, fmt.Sprintf("the certificate of %s is valid from %s only: is the clock right?", of, authority.NotBefore.Format(time.DateOnly)))
		}
	}
	if len(invalid) > 0 && (len(found) < publicBundle || len(invalid) == len(found)) {
		return Finding{check, Warning, fmt.Sprintf("%s=%s: %s", variable, file, invalid[0]), []Remedy{
			{"anywhere", "put a certificate of that authority that is valid now into " + file},
		}}
	}
	detail := fmt.Sprintf("%s=%s has %d, %s", variable, file, len(found), does)
	if len(invalid) > 0 {
		detail += fmt.Sprintf("; %d of them not valid today", len(invalid))
	}
	return ok(check, detail)
}

func trust(variable, file string) []Remedy {
	return []Remedy{
		{dockerRun, fmt.Sprintf("--volume %[2]s:%[2]s:ro --env %[1]s=%[2]s", variable, file)},
		{kubernetes, "env:\n- {name: " + variable + ", value: " + file + "}\nvolumeMounts:\n- {name: ca, mountPath: " + filepath.Dir(file) + ", readOnly: true}"},
		{host, "apt-get install ca-certificates; add your own with update-ca-certificates"},
	}
}

// certificates returns the certificates in a PEM file.
func (m Machine) certificates(file string) (found []*x509.Certificate, err error) {
	text, err := m.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return found, nil
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, certificate)
		}
	}
}
