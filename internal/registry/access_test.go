package registry

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestLogin(t *testing.T) {
	const config = `{"auths":{"HOST":{"auth":"AUTH"}}}`
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "ci" && password == "right-password" {
			if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v2/closed/") {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	for name, tc := range map[string]struct{ password, want string }{
		"the right password": {"right-password", ""},
		"a wrong password":   {"wrong-password", host + " does not accept the credentials of ci"},
		"no credentials":     {"", host + " wants credentials, and there are none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_CONFIG", t.TempDir())
			t.Setenv("DOCKER_AUTH_CONFIG", "")
			if tc.password != "" {
				t.Setenv("DOCKER_AUTH_CONFIG", strings.NewReplacer("HOST", host, "AUTH", base64.StdEncoding.EncodeToString([]byte("ci:"+tc.password))).Replace(config))
			}
			client := NewClient(NewKeychain(func(string) {}, AWS{}), 0)
			for _, target := range []string{host, host + "/team/app:1"} {
				user, err := client.Login(t.Context(), target)
				if tc.want == "" && (err != nil || user != "ci") {
					t.Errorf("%s: got %q and %v", target, user, err)
				}
				if tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
					t.Errorf("%s: got %v, want %s", target, err, tc.want)
				}
			}
			if tc.want != "" {
				return
			}
			if err := client.MayPush(t.Context(), host+"/open/app:1"); err != nil {
				t.Error(err)
			}
			if err := client.MayPush(t.Context(), host+"/closed/app:1"); !Denied(err) {
				t.Errorf("a repository that is closed: got %v", err)
			}
		})
	}
}

func TestLoginWithoutCredentialsNamesNobody(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("DOCKER_AUTH_CONFIG", "")
	host := serve(t, nil)
	user, err := NewClient(NewKeychain(func(string) {}, AWS{}), 0).Login(t.Context(), host)
	if user != "" || err != nil {
		t.Errorf("got %q and %v", user, err)
	}
}
