package builder

import (
	"strings"
	"testing"
)

func TestTLSNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	partial := t.TempDir()
	writeFile(t, partial+"/ca.pem", "")
	for name, tc := range map[string]struct {
		tls  TLS
		want string
	}{
		"a directory and a file":       {TLS{Dir: "/certs", CACert: "/ca.pem"}, "a TLS directory (/certs) and single TLS files are both given"},
		"a directory without the cert": {TLS{Dir: partial}, "has neither cert.pem nor tls.crt"},
		"an endless CA file":           {TLS{CACert: "/dev/zero"}, "/dev/zero is or leads to a device"},
		"a certificate without a key":  {TLS{Cert: "/nowhere.pem"}, `read the TLS certificate "/nowhere.pem" with the key ""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := tc.tls.clientOpts("tcp://builder:1234"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestNoTLSIsNoOption(t *testing.T) {
	t.Parallel()
	if opts, err := (TLS{}).clientOpts("tcp://builder:1234"); len(opts) != 0 || err != nil {
		t.Errorf("got %d options, %v", len(opts), err)
	}
}
