package ci

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/userfile"
)

// certificateFolders are where Go looks for certificates of authorities if SSL_CERT_DIR does not
// say so.
const certificateFolders = "/etc/ssl/certs:/etc/pki/tls/certs"

// maxAuthorities is the maximum size in bytes of a file with certificates of authorities.
const maxAuthorities = 4 << 20

// awsBundle names a file with all authorities that AWS's SDK trusts, in place of the system's.
const awsBundle = "AWS_CA_BUNDLE"

// trust makes this process, and the builder that it starts, trust the authorities in
// HARNESS_CA_PATH. Call the result at the end.
func (s *Step) trust() (forget func() error, err error) {
	if s.caPath == "" {
		return func() error { return nil }, nil
	}
	data, err := userfile.Read(s.caPath, maxAuthorities)
	if err != nil {
		return nil, project.BadInput(fmt.Errorf("HARNESS_CA_PATH: %w", err))
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return nil, project.BadInput(fmt.Errorf("HARNESS_CA_PATH: %s has no certificate in PEM", s.caPath))
	}
	folder, err := os.MkdirTemp("", "samforge-ca-")
	if err != nil {
		return nil, err
	}
	forget = func() error { return os.RemoveAll(folder) }
	folders := certificateFolders
	if given := s.environment["SSL_CERT_DIR"]; given != "" {
		folders = given
	}
	err = errors.Join(os.Chmod(folder, 0o755), os.WriteFile(filepath.Join(folder, "ca.pem"), data, 0o644), os.Setenv("SSL_CERT_DIR", folder+":"+folders))
	if bundle := s.environment[awsBundle]; err == nil && bundle != "" {
		err = extend(bundle, data, filepath.Join(folder, "aws.pem"))
	}
	if err != nil {
		return nil, errors.Join(err, forget())
	}
	return forget, nil
}

// extend makes AWS's SDK trust authorities in addition to those of its bundle, in a new file.
func extend(bundle string, authorities []byte, file string) error {
	before, err := userfile.Read(bundle, maxAuthorities)
	if err != nil {
		return project.BadInput(fmt.Errorf("%s: %w", awsBundle, err))
	}
	return errors.Join(os.WriteFile(file, slices.Concat(before, []byte("\n"), authorities), 0o644), os.Setenv(awsBundle, file))
}
