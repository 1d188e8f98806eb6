package ci

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/samforge/samforge/internal/registry"
)

// The credentials of each kind of registry, for the repository of the image.
func TestLogins(t *testing.T) {
	t.Parallel()
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/harness"
		if r.FormValue("subject_token") != "the-token" || r.FormValue("audience") != audience {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "of-google", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 3600}`))
	}))
	t.Cleanup(google.Close)
	for name, c := range map[string]struct {
		settings []string
		want     []registry.Login
	}{
		"a user": {[]string{"PLUGIN_REPO=registry.example.com/a/b", "PLUGIN_USERNAME=u", "PLUGIN_PASSWORD=p"},
			[]registry.Login{{Scope: "registry.example.com/a/b", Username: "u", Password: "p"}, {Scope: "registry.example.com", Username: "u", Password: "p"}}},
		"another for base images there": {[]string{"PLUGIN_REPO=a/b", "PLUGIN_USERNAME=u", "PLUGIN_PASSWORD=p", "PLUGIN_BASE_IMAGE_USERNAME=base", "PLUGIN_BASE_IMAGE_PASSWORD=q"},
			[]registry.Login{{Scope: "index.docker.io/a/b", Username: "u", Password: "p"}, {Scope: "docker.io", Username: "base", Password: "q"}, {Scope: "index.docker.io", Username: "u", Password: "p"}}},
		"a key of Google": {[]string{"PLUGIN_REGISTRY=eu-docker.pkg.dev", "PLUGIN_REPO=project/repo/app", `PLUGIN_JSON_KEY={"type": "service_account"}`},
			[]registry.Login{{Scope: "eu-docker.pkg.dev/project/repo/app", Username: "_json_key", Password: `{"type": "service_account"}`}, {Scope: "eu-docker.pkg.dev", Username: "_json_key", Password: `{"type": "service_account"}`}}},
		"a workload identity of Google": {[]string{"PLUGIN_REPO=gcr.io/p/app", "PLUGIN_PROJECT_NUMBER=1", "PLUGIN_POOL_ID=pool", "PLUGIN_PROVIDER_ID=harness", "PLUGIN_OIDC_TOKEN_ID=the-token"},
			[]registry.Login{{Scope: "gcr.io/p/app", Username: "oauth2accesstoken", Password: "of-google"}, {Scope: "gcr.io", Username: "oauth2accesstoken", Password: "of-google"}}},
		"a service principal of Azure": {[]string{"PLUGIN_REPO=x.azurecr.io/app", "CLIENT_ID=id", "CLIENT_SECRET=s"},
			[]registry.Login{{Scope: "x.azurecr.io/app", Username: "id", Password: "s"}, {Scope: "x.azurecr.io", Username: "id", Password: "s"}}},
		"Docker's config": {[]string{"PLUGIN_REPO=a/b", `PLUGIN_CONFIG={"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}`},
			[]registry.Login{{Scope: "index.docker.io", Username: "u", Password: "p"}}},
	} {
		s, _, err := Read(c.settings)
		if err != nil {
			t.Fatal(err)
		}
		s.googleTokens = google.URL
		got, err := s.logins(t.Context())
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
			continue
		}
		for i, login := range got {
			if login != c.want[i] {
				t.Errorf("%s: got %+v, want %+v", name, login, c.want[i])
			}
		}
	}
}
