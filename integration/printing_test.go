package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// hostileText is a registry's answer: everything that it was sent, and sequences that control a
// terminal.
func hostileText(r *http.Request) string {
	_ = r.ParseForm()
	return fmt.Sprintf("\x1b]0;owned\x07\u202e you sent %s and %s", r.Header.Get("Authorization"), r.Form.Encode())
}

// echo makes the registry refuse pushes, and the token service all requests. Both answer with what
// they were sent.
func echo(r *testenv.Registry, status int, path string) {
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, path) || req.Method == http.MethodHead || path != "/token" && req.Header.Get("Authorization") == "" {
			return false // an answer to HEAD has no body
		}
		body, _ := json.Marshal(map[string]any{"errors": []any{map[string]any{"code": "DENIED", "message": hostileText(req)}}})
		w.WriteHeader(status)
		_, _ = w.Write(body)
		return true
	})
}

// Credentials in a registry's answer are not printed and not in the builder's log, and its texts do
// not control the terminal.
func TestRegistryThatEchoesCredentials(t *testing.T) {
	t.Parallel()
	const password = "sw0rdfish-0123"
	accounts := map[string]testenv.Account{"ci": {Password: password, Push: true}}
	for name, options := range map[string]testenv.RegistryOptions{
		"basic":  {BasicAuth: true, Users: accounts},
		"tokens": {TokenAuth: true, AnonymousPull: true, Users: accounts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, testenv.Options{Registry: options, NoBuildkitd: true})
			b.login("ci", password)
			env, cache := b.privateEnv()
			for what, c := range map[string]struct {
				status   int
				path     string
				progress string
			}{
				"403":           {http.StatusForbidden, "/v2/ci/", "plain"},
				"401":           {http.StatusUnauthorized, "/v2/ci/", "plain"},
				"500":           {http.StatusInternalServerError, "/v2/ci/", "rawjson"},
				"token service": {http.StatusForbidden, "/token", "plain"},
			} {
				if name == "basic" && c.path == "/token" {
					continue
				}
				echo(b.Registry, c.status, c.path)
				r := run(t, env, b.seedPush("--progress", c.progress)...)
				b.Registry.Intercept(nil)
				log, err := os.ReadFile(filepath.Join(cache, "samforge", "buildkitd", "samforge.log"))
				must(t, err)
				if r.code != 1 || !strings.Contains(r.stderr, "***") {
					t.Errorf("%s: exit code %d:\n%s", what, r.code, r.stderr)
				}
				for _, secret := range []string{password, "Y2k6c3cwcmRmaXNo", "Bearer ey"} {
					if strings.Contains(r.stderr, secret) || strings.Contains(string(log), secret) {
						t.Errorf("%s: %s is shown:\n%s\nlog:\n%s", what, secret, r.stderr, log)
					}
				}
				if strings.ContainsAny(r.stderr, "\x1b\x07") || c.progress == "plain" && strings.Contains(r.stderr, "\u202e") {
					t.Errorf("%s: the terminal is controlled: %q", what, r.stderr)
				}
			}
		})
	}
}

// Names in a build file, and names of files, are escaped on a terminal.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"key":   "\"\\u001b]0;owned\\u0007\": 1\n",
		"value": "kind: \"sam\\u001b[2J\\u202e\"\n",
	} {
		file := filepath.Join(dir, name+"\x1b[31m.yaml")
		must(t, os.WriteFile(file, []byte(content), 0o600))
		r := run(t, nil, "check", "-f", file)
		if r.code != 2 || !strings.Contains(r.stderr, `\x1b`) {
			t.Errorf("%s: exit code %d:\n%s", name, r.code, r.stderr)
		}
		if strings.ContainsAny(r.stderr, "\x1b\x07\u202e") {
			t.Errorf("%s: the terminal is controlled: %q", name, r.stderr)
		}
	}
}
