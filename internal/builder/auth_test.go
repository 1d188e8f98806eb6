package builder

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

func TestAuthAnswersFromTheDockerConfig(t *testing.T) {
	dir, before := t.TempDir(), config.Dir() // the library reads DOCKER_CONFIG once a process
	config.SetDir(dir)
	t.Cleanup(func() { config.SetDir(before) })
	dt := `{"auths": {"registry.example.com": {"auth": "Y2k6c2VjcmV0"}}}` // ci:secret
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(dt), 0o600); err != nil {
		t.Fatal(err)
	}

	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	Auth(io.Discard).Register(server)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	got, err := auth.NewAuthClient(conn).Credentials(t.Context(), &auth.CredentialsRequest{Host: "registry.example.com"})
	if err != nil || got.Username != "ci" || got.Secret != "secret" {
		t.Errorf("got %v, %v", got, err)
	}
}
