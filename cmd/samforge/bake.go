package main

import (
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/bake"
)

func bakeCommand() *cobra.Command {
	var f buildFlags
	var frontend string
	c := &cobra.Command{
		Use:   "bake [flags] [CONTEXT]",
		Short: "Print a docker-bake.json that builds the same images with docker buildx",
		Long: `Print a docker-bake.json that makes docker buildx bake build, through the frontend,
the images that samforge build would build: one target for each, with its tags, platforms
and caches, and the groups that --target selects. In the names of bake a dot is an
underscore: python3_12-base. So is the slash of a function in a nested stack: Child_HelloFn.

An index of several platforms gets only its own tag; samforge build tags its members
too.`,
		Example: `  samforge bake >docker-bake.json && docker buildx bake --push
  samforge bake | docker buildx bake -f - --push base`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := f.load(c, args)
			if err != nil {
				return err
			}
			return bake.Bake(c.Context(), p, f.build.Settings, frontend, f.registries(c), c.OutOrStdout())
		},
	}
	f.registerInput(c)
	f.registerConfig(c)
	f.registerSettings(c)
	c.Flags().StringVar(&frontend, "frontend", "", "`image` of the frontend, for a build file without a # syntax= line")
	return c
}
