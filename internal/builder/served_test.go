package builder

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"google.golang.org/grpc"

	"github.com/samforge/samforge/internal/printer"
)

type oneLogin struct{}

func (oneLogin) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: "ci", Password: "sw0rdfish"}), nil
}

func TestWhatIsServedIsASecret(t *testing.T) {
	t.Parallel()
	var s printer.Secrets
	all := recorded(&s, []session.Attachable{
		Auth(oneLogin{}, 0, nil),
		secretsprovider.FromMap(map[string][]byte{"npmrc": []byte("registry=https://npm.example.com/\n//npm.example.com/:_authToken=npm_0123456789\n")}),
	})
	server := grpc.NewServer()
	for _, a := range all {
		a.Register(server)
	}
	for _, service := range []string{"moby.filesync.v1.Auth", "moby.buildkit.secrets.v1.Secrets"} {
		if _, ok := server.GetServiceInfo()[service]; !ok {
			t.Errorf("%s is not served", service)
		}
	}
	text := "sw0rdfish, Y2k6c3cwcmRmaXNo, npm_0123456789 of https://npm.example.com/"
	if got := s.Mask(text); got != text {
		t.Errorf("before it is served: %s", got)
	}
	if _, err := all[0].(*registryAuth).provider.(auth.AuthServer).Credentials(t.Context(), &auth.CredentialsRequest{Host: "registry.example.com"}); err != nil {
		t.Fatal(err)
	}
	if _, err := all[1].(secrets.SecretsServer).GetSecret(t.Context(), &secrets.GetSecretRequest{ID: "npmrc"}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Mask(text), "***, ***, *** of https://npm.example.com/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type tokens struct {
	auth.UnimplementedAuthServer
	err error
}

func (t tokens) FetchToken(context.Context, *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	return &auth.FetchTokenResponse{Token: "bearer-token"}, t.err
}

func TestATokenThatIsServedIsASecret(t *testing.T) {
	t.Parallel()
	var s printer.Secrets
	if _, err := (&recordedTokens{tokens{}, &s, 0, nil}).FetchToken(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := s.Mask("bearer-token"); got != "***" {
		t.Errorf("got %s", got)
	}
	if _, err := (&recordedTokens{tokens{err: errors.New("no")}, &s, 0, nil}).FetchToken(t.Context(), nil); err == nil {
		t.Error("the error is lost")
	}
}

// samforge stops waiting for a token service that does not answer, and names it.
func TestATokenServiceThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		req := &auth.FetchTokenRequest{Host: "registry.example.com", Realm: "https://auth.example.com/token"}
		_, err := (&recordedTokens{hanging{}, &printer.Secrets{}, time.Minute, nil}).FetchToken(t.Context(), req)
		if err == nil || err.Error() != "auth.example.com sent nothing for 1m0s" || time.Since(start) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

type hanging struct{ auth.UnimplementedAuthServer }

func (hanging) FetchToken(ctx context.Context, _ *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A token is fetched with the transport of its registry, which is used for no other one.
func TestTokensOfARegistryWithItsOwnTransport(t *testing.T) {
	t.Parallel()
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "the-token"}`))
	}))
	t.Cleanup(service.Close)
	a := Auth(oneLogin{}, 0, func(host string) (http.RoundTripper, bool) {
		return service.Client().Transport, host == "own.example.com"
	}).(*registryAuth)
	server := &recordedTokens{a.provider.(auth.AuthServer), a.secrets.Load(), 0, a.transport}
	for _, c := range []struct {
		host string
		ok   bool
	}{{"own.example.com", true}, {"other.example.com", false}, {"own.example.com", true}} {
		res, err := server.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: c.host, Realm: service.URL, Service: "tokens", Scopes: []string{"repository:a:pull"}})
		if c.ok != (err == nil && res.Token == "the-token") || !c.ok && !strings.Contains(err.Error(), "x509") {
			t.Errorf("%s: got %v, %v", c.host, res, err)
		}
	}
}
