package builder

import (
	"io"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
)

// Auth returns what answers buildkitd's questions for registry credentials: the docker CLI's configuration in
// DOCKER_CONFIG or ~/.docker, with its credential helpers. A configuration that cannot be read is told to warn, and
// registries are then used anonymously.
func Auth(warn io.Writer) session.Attachable {
	return authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: authprovider.LoadAuthConfig(config.LoadDefaultConfigFile(warn)),
	})
}
