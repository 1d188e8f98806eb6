package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/ci"
	"github.com/samforge/samforge/internal/printer"
)

func pluginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plugin",
		Short: "Build and push the image of a Dockerfile, as a step of a CI pipeline",
		Long: `Build the image of a Dockerfile and push it, with the settings of the Build and Push steps of
Harness and Drone: variables such as PLUGIN_REPO and PLUGIN_TAGS. It needs no Docker daemon and no
privileges.

The container image of samforge does this by itself where such variables are set.
Exit codes: 0 done, 1 the build or the push failed, 2 a setting is wrong.`,
		Example: `  PLUGIN_REPO=registry.example.com/team/app PLUGIN_TAGS=1.2.3,latest samforge plugin`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			step, warnings, err := ci.Read(os.Environ())
			for _, warning := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "WARNING: "+warning)
			}
			if err != nil {
				return &usageError{err}
			}
			printer.FromContext(c.Context()).Add(step.SecretValues()...)
			step.Forget()
			o := ci.Options{Stdout: c.OutOrStdout(), Stderr: c.ErrOrStderr(), ReadBake: bakefile.Read}
			if o.Silence, err = silence(); err != nil {
				return &usageError{err}
			}
			return step.Run(c.Context(), o)
		},
	}
}
