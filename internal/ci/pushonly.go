package ci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/imagefile"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// pushTar pushes the image in PLUGIN_SOURCE_TAR_PATH.
func (s *Step) pushTar(ctx context.Context, client *registry.Client, refs []string, o Options) (pushed []build.Ref, err error) {
	folder, err := os.MkdirTemp("", "samforge-push-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	platform := ""
	if len(s.platforms) == 1 {
		platform = s.platforms[0]
	}
	image, err := imagefile.Open(s.sourceTar, platform, folder)
	if err != nil {
		return nil, project.BadInput(fmt.Errorf("PLUGIN_SOURCE_TAR_PATH: the image in %s: %w", s.sourceTar, err))
	}
	for _, ref := range refs {
		digest, err := client.Push(ctx, image, ref)
		if err != nil {
			return pushed, err
		}
		pushed = append(pushed, build.Ref{Name: ref, Digest: digest})
		if _, err := fmt.Fprintln(o.Stdout, pushed[len(pushed)-1]); err != nil {
			return pushed, fmt.Errorf("write the result: %w", err)
		}
	}
	return pushed, nil
}

// certificateFolders are where Go looks for certificates of authorities if SSL_CERT_DIR does not say so.
const certificateFolders = "/etc/ssl/certs:/etc/pki/tls/certs"

// trust makes this process, and the builder that it starts, trust the authorities in HARNESS_CA_PATH.
// Call the result at the end.
func (s *Step) trust() (forget func() error, err error) {
	if s.caPath == "" {
		return func() error { return nil }, nil
	}
	data, err := userfile.Read(s.caPath, 4<<20)
	if err != nil {
		return nil, project.BadInput(fmt.Errorf("HARNESS_CA_PATH: %w", err))
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
	if err != nil {
		return nil, errors.Join(err, forget())
	}
	return forget, nil
}
