// Package builder finds or starts a buildkitd, and solves many images on it in one session and
// under one progress display.
//
// FindPool chooses the buildkitd, or several (pool.go, find.go). Pool.Run spreads jobs over them
// (spread.go) and solves each on one of them (run.go). Pool.Close leaves nothing behind.
package builder

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/client"

	"github.com/samforge/samforge/internal/userfile"
)

// Options say which buildkitd to use. The zero value discovers one.
type Options struct {
	// Address of a buildkitd: unix, tcp, ssh, npipe, docker-container, podman-container,
	// nerdctl-container or kube-pod, as buildctl accepts it. Two more schemes name builders that
	// discovery could find: docker:// is the Docker engine's own BuildKit, private:// a buildkitd
	// that samforge starts. Empty means BUILDKIT_HOST, and if that is not set, discovery.
	Address string
	// TLS is used for a tcp address; discovery ignores it.
	TLS TLS
	// Env looks up an environment variable; nil means os.Getenv.
	Env func(name string) string
	// Log gets the sentences that the user should read about the choice, one at a time; nil drops
	// them.
	Log func(sentence string)
	// Config is added to the configuration of a buildkitd that samforge starts. For any other one,
	// Log gets a warning with the lines.
	Config Config

	rootful    string  // the rootful socket's address, other than appdefaults.Address in tests
	passwdHome *string // the user's home in /etc/passwd, other than that in tests
}

// TLS names the certificates for a tcp address, with the meaning of buildctl's --tls* flags.
type TLS struct {
	ServerName string // the name to verify; empty means the address's host
	CACert     string // file; empty together with Cert and Key means no TLS
	Cert, Key  string // files of the client's certificate
	Dir        string // holds ca.pem, cert.pem and key.pem (or ca.crt, tls.crt, tls.key), instead of the three above
}

func (o Options) env(name string) string {
	if o.Env == nil {
		return os.Getenv(name)
	}
	return o.Env(name)
}

func (o Options) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// clientOpts returns the client options for TLS to address, or none if TLS is the zero value.
func (t TLS) clientOpts(address string) ([]client.ClientOpt, error) {
	if t.Dir != "" {
		if t.CACert != "" || t.Cert != "" || t.Key != "" {
			return nil, fmt.Errorf("a TLS directory (%s) and single TLS files are both given; give one of them", t.Dir)
		}
		var err error
		if t.CACert, err = firstFile(t.Dir, "ca.pem", "ca.crt"); err != nil {
			return nil, err
		}
		if t.Cert, err = firstFile(t.Dir, "cert.pem", "tls.crt"); err != nil {
			return nil, err
		}
		if t.Key, err = firstFile(t.Dir, "key.pem", "tls.key"); err != nil {
			return nil, err
		}
	}
	if t.ServerName == "" {
		if u, err := url.Parse(address); err == nil {
			t.ServerName = u.Hostname()
		}
	}
	for _, name := range []string{t.CACert, t.Cert, t.Key} {
		if name == "" {
			continue
		}
		// gRPC would read a device or a pipe for ever. The code below reports missing files.
		if _, err := userfile.Read(name, certificateLimit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read a TLS file of the builder: %w", err)
		}
	}
	var opts []client.ClientOpt
	if t.CACert != "" {
		opts = append(opts, client.WithServerConfig(t.ServerName, t.CACert))
	} else if t.Cert != "" || t.Key != "" {
		opts = append(opts, client.WithServerConfigSystem(t.ServerName))
	}
	if t.Cert != "" || t.Key != "" {
		// Load the files here too, because BuildKit's error does not name them.
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			return nil, fmt.Errorf("read the TLS certificate %q with the key %q: %w", t.Cert, t.Key, err)
		}
		opts = append(opts, client.WithCredentials(t.Cert, t.Key))
	}
	return opts, nil
}

// certificateLimit is the maximum size of a file of certificates. Distributions' bundles have 200
// kB.
const certificateLimit = 4 << 20

func firstFile(dir string, names ...string) (string, error) {
	for _, name := range names {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("the TLS directory %s has neither %s nor %s", dir, names[0], names[1])
}
