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
		Long: `Print a docker-bake.json with which docker buildx bake builds, through the frontend,
the images that samforge build would build: a target each, with its tags, platforms
and caches, and the groups that --target selects. In the names of bake a dot is an
underscore: python3_12-base.

An index of several platforms gets its own tag alone; samforge build tags its members
too.`,
		Example: `  samforge bake >docker-bake.json && docker buildx bake --push
  samforge bake | docker buildx bake -f - --push base`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := f.load(c, args)
			if err != nil {
				return err
			}
			return bake.Bake(p, f.build.Settings, frontend, c.OutOrStdout())
		},
	}
	f.registerInput(c)
	f.registerSettings(c)
	c.Flags().StringVar(&frontend, "frontend", "", "`image` of the frontend, for a build file without a # syntax= line")
	return c
}
