package integration

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// gitServer serves the folder's one commit as PATH/images.git to clients that send the token as git
// does (git-http-backend(1)).
func gitServer(t *testing.T, dir, token string) (address string) {
	t.Helper()
	root := t.TempDir()
	for _, args := range [][]string{
		{"-C", dir, "init", "-q", "-b", "main"}, {"-C", dir, "add", "-A"},
		{"-C", dir, "-c", "user.name=ci", "-c", "user.email=ci@example.com", "commit", "-q", "-m", "images"},
		{"clone", "-q", "--bare", dir, filepath.Join(root, "images.git")},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	git, err := exec.LookPath("git")
	must(t, err)
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
		InheritEnv: []string{"PATH"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/images.git"
}

// The builder fetches a build context from a private repository with the token of --secret.
func TestPrivateGitContext(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}}, testenv.ServerlessOptions{})
	dir := frameworkContext(t, "version: 3.39.0, lock: locks/sls.json", map[string]string{"locks/sls.json": `{"lockfileVersion": 9}`})
	address := gitServer(t, dir, "t0ken-of-ci")
	token := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(token, []byte("t0ken-of-ci"), 0o600))
	args := []string{"-f", filepath.Join(dir, "samforge.yaml"), "--target", "serverless", address}

	wrong := filepath.Join(t.TempDir(), "wrong")
	must(t, os.WriteFile(wrong, []byte("not-the-token"), 0o600))
	for _, more := range [][]string{nil, {"--secret", "id=GIT_AUTH_TOKEN,src=" + wrong}} {
		b.wantFailure(b.build(append(args, more...)...), "the git repository requires a login", "--secret id=GIT_AUTH_TOKEN")
	}
	r := b.build(append(args, "--secret", "id=GIT_AUTH_TOKEN,src="+token)...)
	b.wantFailure(r, "locks/sls.json: lockfileVersion is 9") // so the context was fetched
	if strings.Contains(r.stderr, "t0ken-of-ci") {
		t.Errorf("the token is shown:\n%s", r.stderr)
	}
}
