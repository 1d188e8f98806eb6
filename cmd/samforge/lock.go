package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/lock"
)

func lockCommand() *cobra.Command {
	var f buildFlags
	var how lock.Options
	c := &cobra.Command{
		Use:   "lock [flags] [CONTEXT] | lock --update [flags] [NAME...]",
		Short: "Pin everything that a build file names, in a lock file beside it",
		Long: `Write samforge.lock beside the build file: the digest of every image, as a whole and for each
platform, the checksum of every download, and the checksum of the framework's npm lock. Every build
reads it, through every door; samforge build --locked refuses what is not in it.

Beside a SAM template (template.lock for template.yaml) it has every image that the Dockerfiles of
the functions reach. Builds take these images; the Dockerfiles stay as they are.

Locked entries stay as they are. --update moves them to the current state: all of them, or those
whose name contains one of the arguments. The changes are printed.`,
		Example: `  samforge lock
  samforge lock --update build-python3.12`,
		RunE: func(c *cobra.Command, args []string) error {
			if how.Update {
				how.Names, args = args, nil
			}
			if err := oneContext(c, args); err != nil {
				return err
			}
			opt, err := f.configured(c, args)
			if err != nil {
				return err
			}
			return lock.Lock(c.Context(), opt, how, f.registries(c), c.OutOrStdout())
		},
	}
	f.registerFile(c)
	f.registerTemplate(c)
	f.registerContexts(c)
	f.registerConfig(c)
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "lock for these `platforms` (default those that the images exist for)")
	c.Flags().BoolVar(&how.Update, "update", false, "move the locked entries to the current state")
	completePlatforms(c)
	return c
}

func outdatedCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "outdated [flags] [CONTEXT]",
		Short: "Show what has changed since the build file was locked",
		Long: `Compare the lock file with what its images, downloads and packages are today. Nothing is
written and no layer is pulled.

Exit codes: 0 nothing moved, 1 something did, 2 it cannot be told.`,
		Example: `  samforge outdated || { samforge lock --update && samforge build --push; }`,
		Args:    oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.configured(c, args)
			if err != nil {
				return err
			}
			err = lock.Outdated(c.Context(), opt, f.registries(c), c.OutOrStdout())
			if errors.Is(err, lock.ErrOutdated) {
				return errFindings
			}
			return err
		},
	}
	f.registerFile(c)
	f.registerTemplate(c)
	f.registerContexts(c)
	f.registerConfig(c)
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "compare for these `platforms`")
	completePlatforms(c)
	return c
}
