package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// loginCommand says where credentials come from: samforge keeps none.
func loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "login",
		Short:              "Say how to log in to a registry",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{errors.New(`samforge has no login of its own: it reads those of docker login HOST, podman login HOST and crane auth login HOST.
In CI, put the text of a Docker config.json into DOCKER_AUTH_CONFIG.
For Amazon ECR, Google Cloud, Azure Container Registry and ghcr.io no login is needed where the environment, the
machine's role or the cloud's own command line has credentials`)}
		},
	}
}
