package builder

import (
	"context"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/secrets"
	"google.golang.org/grpc"

	"github.com/samforge/samforge/internal/printer"
)

// recorded returns the attachables with what they serve noted in s: registries, proxies and steps may answer with it, and
// it must not be printed then.
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
}

// FetchToken serves a token.
func (r *recordedTokens) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	res, err := r.AuthServer.FetchToken(ctx, req)
	if err == nil {
		r.secrets.Add(res.Token)
	}
	return res, err
}
