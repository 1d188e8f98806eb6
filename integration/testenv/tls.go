// Certificates for a buildkitd on TCP, and for servers of the tests.

package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listenTLS chooses a free port on loopback and makes the certificates of the daemon and of its
// clients, all signed by its own authority.
func (b *Buildkitd) listenTLS() error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	b.TCPAddr = "tcp://" + addresses[0]
	b.TLSDir = b.dir.join("tls")
	if err := os.Mkdir(b.TLSDir, 0o755); err != nil {
		return fmt.Errorf("making a directory for certificates: %w", err)
	}
	authority, err := newCertificate("authority", nil)
	if err != nil {
		return err
	}
	server, err := newCertificate("buildkitd", authority)
	if err != nil {
		return err
	}
	client, err := newCertificate("client", authority)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem":         authority.certificatePEM(),
		"server.pem":     server.certificatePEM(),
		"server-key.pem": server.keyPEM(),
		"cert.pem":       client.certificatePEM(),
		"key.pem":        client.keyPEM(),
	} {
		if err := os.WriteFile(filepath.Join(b.TLSDir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return fmt.Errorf("writing a certificate: %w", err)
		}
	}
	return nil
}

// certificate is a certificate with its key.
type certificate struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
	der []byte // of the key
}

// newCertificate makes a certificate for 127.0.0.1 and the hosts that the authority signs, or an
// authority if that is nil.
func newCertificate(name string, authority *certificate, hosts ...string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              hosts,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if authority == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		parent, signer = authority.Certificate, authority.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return &certificate{Certificate: made, key: key, der: keyDER}, nil
}

// ServerCertificate makes a certificate for 127.0.0.1 and the hosts, and returns it with the
// authority that signed it, in PEM, which nobody trusts.
func ServerCertificate(hosts ...string) (_ tls.Certificate, authorityPEM []byte, err error) {
	authority, err := newCertificate("authority", nil)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	server, err := newCertificate("server", authority, hosts...)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair := tls.Certificate{Certificate: [][]byte{server.Raw}, PrivateKey: server.key}
	return pair, pem.EncodeToMemory(authority.certificatePEM()), nil
}

// PEM are an authority, and a certificate that it signed with its key, for a server on 127.0.0.1
// and for clients.
type PEM struct{ Authority, Certificate, Key []byte }

// ClientCertificate makes a certificate for clients and servers, with an authority of its own.
func ClientCertificate() (PEM, error) {
	authority, err := newCertificate("authority", nil)
	if err != nil {
		return PEM{}, err
	}
	client, err := newCertificate("client", authority)
	if err != nil {
		return PEM{}, err
	}
	return PEM{pem.EncodeToMemory(authority.certificatePEM()), pem.EncodeToMemory(client.certificatePEM()), pem.EncodeToMemory(client.keyPEM())}, nil
}

func (c *certificate) certificatePEM() *pem.Block {
	return &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}
}

func (c *certificate) keyPEM() *pem.Block { return &pem.Block{Type: "EC PRIVATE KEY", Bytes: c.der} }
