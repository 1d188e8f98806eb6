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
		Short: "Pin all that a build file names, in samforge.lock",
		Long: `Write samforge.lock beside the build file: the digest of every image as a whole and for each
platform, the checksum of every download, and that of the framework's npm lock. Every build
reads it, through every door; samforge build --locked refuses what is not in it.

What is locked stays so. --update moves it to what is there today: all of it, or the entries
whose name contains one of the arguments. What changes is printed.`,
		Example: `  samforge lock
  samforge lock --update build-python3.12`,
		RunE: func(c *cobra.Command, args []string) error {
			if how.Update {
				how.Names, args = args, nil
			}
			if err := oneContext(c, args); err != nil {
				return err
			}
			opt, err := f.options(c, args)
			if err != nil {
				return err
			}
			return lock.Lock(c.Context(), opt, how, f.registries(c), c.OutOrStdout())
		},
	}
	f.registerFile(c)
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "lock for these `platforms` (default those that the images are there for)")
	c.Flags().BoolVar(&how.Update, "update", false, "move what is locked to what is there today")
	completePlatforms(c)
	return c
}

func outdatedCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "outdated [flags] [CONTEXT]",
		Short: "Tell what moved since the build file was locked",
		Long: `Compare samforge.lock with what its images, downloads and packages are today. Nothing is
written and no layer is pulled.

Exit codes: 0 nothing moved, 1 something did, 2 it cannot be told.`,
		Example: `  samforge outdated || { samforge lock --update && samforge build --push; }`,
		Args:    oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.options(c, args)
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
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "compare for these `platforms`")
	completePlatforms(c)
	return c
}
