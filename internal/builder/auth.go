package builder

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/util/progress/progresswriter"
	"google.golang.org/grpc"

	"github.com/samforge/samforge/internal/printer"
)

// Auth answers a builder's requests for registry credentials from the keychain, which samforge's
// own requests use too. silence is how long a token service may send nothing; 0 waits for ever.
// transport returns the transport for the tokens of a registry that is not reached like any other;
// it may be nil.
func Auth(keychain authn.Keychain, silence time.Duration, transport Transport) session.Attachable {
	a := &registryAuth{keychain: keychain, silence: silence, transport: transport}
	a.secrets.Store(&printer.Secrets{})
	tokenRequests()
	a.provider = authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: a.credentials})
	return a
}

// registryAuth serves credentials and records them as secrets.
type registryAuth struct {
	keychain authn.Keychain
	silence  time.Duration
	provider session.Attachable
	secrets  atomic.Pointer[printer.Secrets]

	transport Transport
}

// Transport returns what sends requests about a registry, and false if they are sent like any
// other.
type Transport func(host string) (http.RoundTripper, bool)

// Register implements session.Attachable.
func (a *registryAuth) Register(server *grpc.Server) {
	inner, ok := a.provider.(auth.AuthServer)
	if !ok { // which BuildKit's is
		a.provider.Register(server)
		return
	}
	auth.RegisterAuthServer(server, &recordedTokens{inner, a.secrets.Load(), a.silence, a.transport})
}

// SetLogger makes the display show which credentials are served.
func (a *registryAuth) SetLogger(l progresswriter.Logger) {
	if inner, ok := a.provider.(interface{ SetLogger(progresswriter.Logger) }); ok {
		inner.SetLogger(l)
	}
}

// credentials looks up a host's credentials. A token service may repeat them in its answer.
func (a *registryAuth) credentials(ctx context.Context, host string, scopes []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
	target, err := resource(host, scopes)
	if err != nil {
		return types.AuthConfig{}, err
	}
	found, err := authn.Resolve(ctx, a.keychain, target)
	if err != nil {
		return types.AuthConfig{}, err
	}
	config, err := authn.Authorization(ctx, found)
	if err != nil {
		return types.AuthConfig{}, fmt.Errorf("credentials for %s: %w", host, err)
	}
	secrets := a.secrets.Load()
	secrets.AddLogin(config.Username, config.Password)
	secrets.Add(config.Auth, config.IdentityToken, config.RegistryToken)
	return types.AuthConfig{
		Username:      config.Username,
		Password:      config.Password,
		Auth:          config.Auth,
		IdentityToken: config.IdentityToken,
		RegistryToken: config.RegistryToken,
	}, nil
}

// resource returns the resource that credentials are wanted for: the repository that the scopes
// name (repository:ci/app:pull,push), else the registry. Of several, which one token is for, it is
// the one to push to.
func resource(host string, scopes []string) (authn.Resource, error) {
	if host == authprovider.DockerHubRegistryHost {
		host = name.DefaultRegistry
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, fmt.Errorf("credentials for %q: %w", host, err)
	}
	var found authn.Resource = registry
	for _, scope := range scopes {
		rest, ok := strings.CutPrefix(scope, "repository:")
		end := strings.LastIndex(rest, ":")
		switch {
		case !ok || end <= 0:
		case strings.Contains(rest[end:], "push"):
			return registry.Repo(rest[:end]), nil
		case found == authn.Resource(registry):
			found = registry.Repo(rest[:end])
		}
	}
	return found, nil
}
