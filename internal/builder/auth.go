package builder

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
)

// Auth returns what answers a builder's questions for registry credentials: from the keychain, which samforge's own
// requests use too.
func Auth(keychain authn.Keychain) session.Attachable {
	return authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: func(ctx context.Context, host string, scopes []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
			target, err := resource(host, scopes)
			if err != nil {
				return types.AuthConfig{}, err
			}
			auth, err := authn.Resolve(ctx, keychain, target)
			if err != nil {
				return types.AuthConfig{}, err
			}
			found, err := authn.Authorization(ctx, auth)
			if err != nil {
				return types.AuthConfig{}, fmt.Errorf("credentials for %s: %w", host, err)
			}
			return types.AuthConfig{
				Username:      found.Username,
				Password:      found.Password,
				Auth:          found.Auth,
				IdentityToken: found.IdentityToken,
				RegistryToken: found.RegistryToken,
			}, nil
		},
	})
}

// resource returns what credentials are asked for: the repository that the scopes name (repository:ci/app:pull,push),
// else the registry.
func resource(host string, scopes []string) (authn.Resource, error) {
	if host == authprovider.DockerHubRegistryHost {
		host = name.DefaultRegistry
	}
	registry, err := name.NewRegistry(host)
	if err != nil {
		return nil, fmt.Errorf("credentials for %q: %w", host, err)
	}
	for _, scope := range scopes {
		rest, ok := strings.CutPrefix(scope, "repository:")
		if end := strings.LastIndex(rest, ":"); ok && end > 0 {
			return registry.Repo(rest[:end]), nil
		}
	}
	return registry, nil
}
