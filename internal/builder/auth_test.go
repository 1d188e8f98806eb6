package builder

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/samforge/samforge/internal/registry"
)

// asker returns a client that requests credentials from a session, as a builder does.
func asker(t *testing.T) auth.AuthClient {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	Auth(registry.NewKeychain(nil, registry.AWS{}), 0, nil).Register(server)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return auth.NewAuthClient(conn)
}

func TestAuthAnswersFromTheKeychain(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("GITHUB_ACTOR", "octocat")
	t.Setenv("GITHUB_TOKEN", "token")
	config := `{"auths": {"registry.example.com": {"auth": "Y2k6c2VjcmV0"}, "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	client := asker(t)
	for host, want := range map[string]struct{ user, secret string }{
		"registry.example.com": {"ci", "secret"},
		"registry-1.docker.io": {"hub", "secret"}, // BuildKit's name for Docker Hub
		"ghcr.io":              {"octocat", "token"},
		"other.example.com":    {},
	} {
		got, err := client.Credentials(t.Context(), &auth.CredentialsRequest{Host: host})
		if err != nil || got.Username != want.user || got.Secret != want.secret {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
}

func TestAuthIsAskedForTheRepositoryThatTheScopesName(t *testing.T) {
	t.Parallel()
	for host, tc := range map[string]struct {
		scopes []string
		want   string
	}{
		"registry.example.com": {[]string{"repository:ci/app:pull,push"}, "registry.example.com/ci/app"},
		"localhost:5000":       {nil, "localhost:5000"},
		"registry-1.docker.io": {[]string{"repository:library/docker:pull"}, "index.docker.io/library/docker"},
	} {
		got, err := resource(host, tc.scopes)
		if err != nil || got.String() != tc.want {
			t.Errorf("%s %v is %v, %v; want %s", host, tc.scopes, got, err, tc.want)
		}
	}
}
