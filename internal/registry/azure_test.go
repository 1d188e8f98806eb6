package registry

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/registry/azurefake"
)

// fakeAzure starts a server for all hosts of Azure, and returns the transport that leads to it.
func fakeAzure(t *testing.T, fake *azurefake.Server) http.RoundTripper {
	t.Helper()
	t.Setenv("AZURE_AUTHORITY_HOST", "")
	server := httptest.NewTLSServer(fake)
	t.Cleanup(server.Close)
	return &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
}

// An application logs in with a token that it trusts, or with its certificate, to the registry's cloud.
func TestAzureLogin(t *testing.T) {
	certificate, text, err := azurefake.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		azure Azure
		host  string
	}{
		"a token":                         {Azure{IDToken: "canary-of-the-token"}, "team.azurecr.io"},
		"a certificate, in base64":        {Azure{Certificate: base64.StdEncoding.EncodeToString(text)}, "team.azurecr.io"},
		"a certificate, as its text":      {Azure{Certificate: string(text)}, "team.azurecr.io"},
		"the registry of a government":    {Azure{IDToken: "canary-of-the-token"}, "team.azurecr.us"},
		"an authority host, without more": {Azure{IDToken: "canary-of-the-token", AuthorityHost: "login.microsoftonline.us"}, "team.azurecr.io"},
	} {
		t.Run(name, func(t *testing.T) {
			var hosts hostsOf
			a := c.azure
			a.Tenant, a.ClientID = azurefake.Tenant, azurefake.ClientID
			hosts.RoundTripper = fakeAzure(t, &azurefake.Server{IDToken: a.IDToken, Certificate: certificate})
			a.Transport = &hosts
			secrets := &printer.Secrets{}
			login, err := a.Login(printer.NewContext(t.Context(), secrets), c.host)
			want := Login{Scope: c.host, Username: azurefake.User, Password: azurefake.Password}
			if err != nil || login != want {
				t.Fatalf("got %+v, %v, want %+v", login, err, want)
			}
			if masked := secrets.Mask(login.Password + a.IDToken); strings.Contains(masked, login.Password) || strings.Contains(masked, "canary") {
				t.Errorf("the log shows %q", masked)
			}
			authority := "login.microsoftonline.com"
			if strings.Contains(name, "government") || a.AuthorityHost != "" {
				authority = "login.microsoftonline.us"
			}
			for _, host := range hosts.seen {
				if host != authority && host != c.host {
					t.Errorf("a request went to %s", host)
				}
			}
		})
	}
}

// hostsOf notes the hosts of requests. They come one after the other.
type hostsOf struct {
	http.RoundTripper
	seen []string
}

func (h *hostsOf) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = append(h.seen, r.URL.Host)
	return h.RoundTripper.RoundTrip(r)
}

// What the user can mend is a mistake that names the setting.
func TestAzureMistakes(t *testing.T) {
	right := Azure{Tenant: azurefake.Tenant, ClientID: azurefake.ClientID, IDToken: "canary-of-the-token"}
	with := func(change func(*Azure)) Azure {
		a := right
		change(&a)
		return a
	}
	_, text, err := azurefake.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		azure Azure
		fake  azurefake.Server
		want  string
	}{
		"no tenant":           {with(func(a *Azure) { a.Tenant = "" }), azurefake.Server{}, "give the tenant ID"},
		"no application":      {with(func(a *Azure) { a.ClientID = "" }), azurefake.Server{}, "give the client ID"},
		"both ways":           {with(func(a *Azure) { a.Certificate = "x" }), azurefake.Server{}, "two ways to log in"},
		"no address":          {with(func(a *Azure) { a.AuthorityHost = "http://login.example.com" }), azurefake.Server{}, "the authority host is"},
		"no certificate":      {with(func(a *Azure) { a.IDToken, a.Certificate = "", "canary" }), azurefake.Server{}, "the client certificate is no certificate"},
		"an expired token":    {right, azurefake.Server{Failure: "AADSTS700024"}, "the OIDC token has expired"},
		"another tenant":      {with(func(a *Azure) { a.Tenant = "contoso" }), azurefake.Server{}, `there is no directory "contoso"; check the tenant ID`},
		"another application": {with(func(a *Azure) { a.ClientID = "other" }), azurefake.Server{}, `has no application "other"; check the client ID`},
		"a token of others":   {right, azurefake.Server{IDToken: "other"}, "does not accept the OIDC token; the application " + azurefake.ClientID + " needs a federated credential"},
		"a certificate that is not the application's": {with(func(a *Azure) { a.IDToken, a.Certificate = "", string(text) }),
			azurefake.Server{Failure: "AADSTS700027"}, "does not accept the client certificate"},
		"an answer that nobody knows": {right, azurefake.Server{Failure: "AADSTS1"}, "log in to Azure: Microsoft Entra refuses the identity: AADSTS1: The request is refused."},
		"no role in the registry":     {right, azurefake.Server{IDToken: right.IDToken, Denied: true}, "log in to team.azurecr.io: the registry does not accept the application " + azurefake.ClientID + "; it needs a role there, such as AcrPush"},
	} {
		t.Run(name, func(t *testing.T) {
			c.azure.Transport = fakeAzure(t, &c.fake)
			_, err := c.azure.Login(t.Context(), "team.azurecr.io")
			if err == nil || !strings.Contains(err.Error(), c.want) || !BadSettings(err) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "Trace ID") {
				t.Errorf("got %v, want a mistake with %q", err, c.want)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		a := with(func(a *Azure) { a.AuthorityHost = "https://" + listener.Addr().String() })
		_, err = a.Login(t.Context(), "team.azurecr.io")
		if err == nil || !strings.Contains(err.Error(), "Azure does not answer ("+listener.Addr().String()+")") || BadSettings(err) {
			t.Errorf("got %v", err)
		}
	})
}

// A certificate of nobody, which openssl pkcs12 -export -passout pass:pw has put into a PFX file, once with
// -legacy.
func TestAzureCertificateInPFX(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile("testdata/" + name + ".pfx.base64")
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for name, c := range map[string]struct{ file, password, want string }{
		"the password":   {"legacy", "pw", ""},
		"no password":    {"legacy", "", "the client certificate has another password: give it with the password of the certificate"},
		"the newer form": {"modern", "pw", "openssl pkcs12 -nodes"},
	} {
		_, err := Azure{Tenant: azurefake.Tenant, ClientID: azurefake.ClientID, Certificate: read(c.file), Password: c.password, AuthorityHost: "https://login.example.com"}.credential()
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !BadSettings(err)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// A registry of Azure is used anonymously where the environment has no identity.
func TestNoAzureIdentity(t *testing.T) {
	noCredentials(t)
	for _, variable := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"} {
		t.Setenv(variable, "")
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	user, _, warnings := ask(t, "team.azurecr.io/app")
	if user != "" || len(warnings) > 0 {
		t.Errorf("got the user %q and the warnings %q", user, warnings)
	}
}

// The variables of Azure's programs are enough.
func TestAzureFromEnvironment(t *testing.T) {
	noCredentials(t)
	t.Setenv("AZURE_TENANT_ID", azurefake.Tenant)
	t.Setenv("AZURE_CLIENT_ID", azurefake.ClientID)
	file := t.TempDir() + "/token"
	write(t, file, "canary-of-the-token", 0o600)
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential")
	fake := &azurefake.Server{IDToken: "canary-of-the-token"}
	k := azureKeychain{Azure{Transport: fakeAzure(t, fake)}}
	repo, err := name.NewRepository("team.azurecr.io/app")
	if err != nil {
		t.Fatal(err)
	}
	auth, err := k.ResolveContext(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	if config, err := auth.Authorization(); err != nil || config.Password != azurefake.Password {
		t.Errorf("got %+v, %v", config, err)
	}
}
