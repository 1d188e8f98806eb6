package ci

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/registry/azurefake"
)

// The credentials of each kind of registry, for the repository of the image.
func TestLogins(t *testing.T) {
	t.Parallel()
	google := onlyTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/harness"
		if r.URL.Path == "/v1/projects/-/serviceAccounts/ci@example.com:generateAccessToken" && r.Header.Get("Authorization") == "Bearer of-google" {
			_, _ = w.Write([]byte(`{"accessToken": "of-the-account", "expireTime": "2099-01-01T00:00:00Z"}`))
			return
		}
		if r.FormValue("subject_token") != "the-token" || r.FormValue("audience") != audience {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "of-google", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 3600}`))
	}))
	azure := onlyTo(t, &azurefake.Server{IDToken: "the-token"})
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
		"a service account of Google": {[]string{"PLUGIN_REPO=gcr.io/p/app", "PLUGIN_PROJECT_NUMBER=1", "PLUGIN_POOL_ID=pool", "PLUGIN_PROVIDER_ID=harness", "PLUGIN_OIDC_TOKEN_ID=the-token", "PLUGIN_SERVICE_ACCOUNT_EMAIL=ci@example.com"},
			[]registry.Login{{Scope: "gcr.io/p/app", Username: "oauth2accesstoken", Password: "of-the-account"}, {Scope: "gcr.io", Username: "oauth2accesstoken", Password: "of-the-account"}}},
		"a service principal of Azure": {[]string{"PLUGIN_REPO=x.azurecr.io/app", "CLIENT_ID=id", "CLIENT_SECRET=s"},
			[]registry.Login{{Scope: "x.azurecr.io/app", Username: "id", Password: "s"}, {Scope: "x.azurecr.io", Username: "id", Password: "s"}}},
		"a token for an application of Azure": {[]string{"PLUGIN_REGISTRY=x.azurecr.io", "PLUGIN_REPO=app", "CLIENT_ID=" + azurefake.ClientID, "TENANT_ID=" + azurefake.Tenant, "PLUGIN_OIDC_TOKEN_ID=the-token"},
			[]registry.Login{{Scope: "x.azurecr.io/app", Username: azurefake.User, Password: azurefake.Password}, {Scope: "x.azurecr.io", Username: azurefake.User, Password: azurefake.Password}}},
		"Docker's config": {[]string{"PLUGIN_REPO=a/b", `PLUGIN_CONFIG={"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}`},
			[]registry.Login{{Scope: "index.docker.io", Username: "u", Password: "p"}}},
	} {
		s, _, err := Read(c.settings)
		if err != nil {
			t.Fatal(err)
		}
		s.azure.Transport = azure
		got, err := s.logins(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: google}))
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

// onlyTo starts a server, and returns the transport that leads all requests to it.
func onlyTo(t *testing.T, handler http.Handler) http.RoundTripper {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}}
}

// Mistakes in the settings of Azure name them.
func TestAzureSettings(t *testing.T) {
	t.Parallel()
	acr := []string{"PLUGIN_REGISTRY=x.azurecr.io", "PLUGIN_REPO=app"}
	for name, c := range map[string]struct {
		settings []string
		failure  string
		want     string
	}{
		"no tenant":                  {append(acr, "CLIENT_ID=a", "PLUGIN_OIDC_TOKEN_ID=t"), "", "give TENANT_ID"},
		"no application":             {append(acr, "TENANT_ID=a", "PLUGIN_OIDC_TOKEN_ID=t"), "", "give CLIENT_ID"},
		"a secret without more":      {append(acr, "CLIENT_SECRET=a"), "", "CLIENT_SECRET is given without CLIENT_ID"},
		"no address":                 {append(acr, "CLIENT_ID=a", "TENANT_ID=b", "PLUGIN_OIDC_TOKEN_ID=t", "PLUGIN_AZURE_AUTHORITY_HOST=http://x"), "", "PLUGIN_AZURE_AUTHORITY_HOST is"},
		"a certificate and a secret": {append(acr, "CLIENT_ID=a", "CLIENT_SECRET=b", "CLIENT_CERTIFICATE=c"), "", "CLIENT_SECRET and CLIENT_CERTIFICATE"},
		"no certificate":             {append(acr, "CLIENT_ID=a", "TENANT_ID=b", "CLIENT_CERTIFICATE=c", "AZURE_CLIENT_CERTIFICATE_PASSWORD=d"), "", "CLIENT_CERTIFICATE is no certificate"},
		"a registry of others":       {[]string{"PLUGIN_REPO=registry.example.com/app", "CLIENT_ID=a", "TENANT_ID=b", "PLUGIN_OIDC_TOKEN_ID=t"}, "", `and not "registry.example.com"`},
		"an expired token":           {append(acr, "CLIENT_ID=a", "TENANT_ID="+azurefake.Tenant, "PLUGIN_OIDC_TOKEN_ID=t"), "AADSTS700024", "PLUGIN_OIDC_TOKEN_ID has expired"},
		"another tenant":             {append(acr, "CLIENT_ID=a", "TENANT_ID=contoso", "PLUGIN_OIDC_TOKEN_ID=t"), "", `there is no directory "contoso"; check TENANT_ID`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, err := Read(c.settings)
			if err != nil {
				t.Fatal(err)
			}
			s.azure.Transport = onlyTo(t, &azurefake.Server{Failure: c.failure})
			_, err = s.client(t.Context(), builder.Config{}, Options{Stderr: io.Discard})
			var input *project.InputError
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &input) {
				t.Errorf("got %v, want a mistake with %q", err, c.want)
			}
		})
	}
}

// One token serves all clouds: the settings say whose it is.
func TestWhoseToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings []string
		azure    bool
	}{
		"an application":            {[]string{"PLUGIN_REPO=x.azurecr.io/app", "CLIENT_ID=a"}, true},
		"a registry of Azure":       {[]string{"PLUGIN_REPO=x.azurecr.io/app"}, true},
		"a role, in a pod on Azure": {[]string{"PLUGIN_REPO=a/b", "AZURE_CLIENT_ID=a", "PLUGIN_ASSUME_ROLE=arn"}, false},
		"a pool of Google":          {[]string{"PLUGIN_REPO=gcr.io/a/b", "AZURE_CLIENT_ID=a", "PLUGIN_POOL_ID=p"}, false},
		"nothing else":              {[]string{"PLUGIN_REPO=a/b"}, false},
	} {
		s, _, err := Read(append(c.settings, "PLUGIN_OIDC_TOKEN_ID=t"))
		if err != nil || s.tokenForAzure() != c.azure {
			t.Errorf("%s: for Azure: %t, %v", name, s.tokenForAzure(), err)
		}
	}
}
