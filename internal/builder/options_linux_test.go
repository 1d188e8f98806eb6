package builder

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCertificateThatIsAPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (TLS{Cert: pipe, Key: pipe}).clientOpts("tcp://builder:1234"); err == nil || !strings.Contains(err.Error(), "is a pipe") {
		t.Errorf("got %v", err)
	}
}
