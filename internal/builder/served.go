package builder

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/util/tracing"
	"google.golang.org/grpc"

	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/roundtrip"
)

// recorded returns the attachables, and records in s what they serve: registries, proxies and steps
// may repeat it in their answers, and it must not be printed.
func recorded(s *printer.Secrets, attachables []session.Attachable) []session.Attachable {
	var all []session.Attachable
	for _, a := range attachables {
		switch served := a.(type) {
		case *registryAuth:
			served.secrets.Store(s)
		case secrets.SecretsServer:
			a = &recordedSecrets{served, s}
		}
		all = append(all, a)
	}
	return all
}

// recordedSecrets serves the files and variables of --secret.
type recordedSecrets struct {
	secrets.SecretsServer
	secrets *printer.Secrets
}

// Register implements session.Attachable.
func (r *recordedSecrets) Register(server *grpc.Server) { secrets.RegisterSecretsServer(server, r) }

// GetSecret serves a secret.
func (r *recordedSecrets) GetSecret(ctx context.Context, req *secrets.GetSecretRequest) (*secrets.GetSecretResponse, error) {
	res, err := r.SecretsServer.GetSecret(ctx, req)
	if err == nil {
		r.secrets.AddFile(res.Data)
	}
	return res, err
}

// recordedTokens serves registry tokens.
type recordedTokens struct {
	auth.AuthServer
	secrets *printer.Secrets
	silence time.Duration

	transport Transport
}

// FetchToken serves a token. BuildKit requests it from the registry's token service without a time
// limit. A token is so small that its bytes arrive quickly once they come.
func (r *recordedTokens) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	via := tracing.DefaultTransport
	if r.transport != nil {
		if own, ok := r.transport(req.Host); ok {
			via = own
		}
	}
	ctx = context.WithValue(ctx, tokenTransport{}, roundtrip.Tokens(via, 0))
	if r.silence > 0 {
		stalled := &roundtrip.StalledError{Host: tokenService(req), Limit: r.silence}
		limited, cancel := context.WithTimeoutCause(ctx, r.silence, stalled)
		defer cancel()
		ctx = limited
	}
	res, err := r.AuthServer.FetchToken(ctx, req)
	if err == nil {
		r.secrets.Add(res.Token)
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return res, err
}

// tokenTransport is the key of a context's transport for requests for tokens.
type tokenTransport struct{}

// tokenRequests makes BuildKit's client for tokens use the transport in the context of a request.
// BuildKit's provider can be given TLS settings for a registry, but then uses them for the tokens
// of all others too.
var tokenRequests = sync.OnceFunc(func() {
	tracing.DefaultClient.Transport = byContext{tracing.DefaultClient.Transport}
})

// byContext sends requests with the transport in their context, or else with its own.
type byContext struct{ http.RoundTripper }

func (t byContext) RoundTrip(req *http.Request) (*http.Response, error) {
	if via, ok := req.Context().Value(tokenTransport{}).(http.RoundTripper); ok {
		return via.RoundTrip(req)
	}
	return t.RoundTripper.RoundTrip(req)
}

// tokenService returns the host that issues a registry's tokens.
func tokenService(req *auth.FetchTokenRequest) string {
	if u, err := url.Parse(req.Realm); err == nil && u.Host != "" {
		return u.Host
	}
	return req.Host
}
