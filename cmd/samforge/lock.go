package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/lock"
)

func lockCommand() *cobra.Command {
	var f buildFlags
	var format string
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
			if err := checkFormat(format); err != nil {
				return err
			}
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
			report, err := lock.Lock(c.Context(), opt, how, f.registries(c))
			if err != nil {
				return err
			}
			upToDate := "is up to date"
			if !how.Update {
				upToDate += ": nothing is missing (samforge outdated tells what has moved)"
			}
			return writeReport(c, report, format, upToDate)
		},
	}
	f.registerFile(c)
	f.registerTemplate(c)
	f.registerContexts(c)
	f.registerConfig(c)
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "lock for these `platforms` (default those that the images exist for)")
	c.Flags().BoolVar(&how.Update, "update", false, "move the locked entries to the current state")
	completePlatforms(c)
	registerFormat(c, &format)
	return c
}

func outdatedCommand() *cobra.Command {
	var f buildFlags
	var format string
	c := &cobra.Command{
		Use:   "outdated [flags] [CONTEXT]",
		Short: "Show what has changed since the build file was locked",
		Long: `Compare the lock file with what its images, downloads and packages are today. Nothing is
written and no layer is pulled.

Exit codes: 0 nothing moved, 1 something did, 2 it cannot be told.`,
		Example: `  samforge outdated || { samforge lock --update && samforge build --push; }`,
		Args:    oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			opt, err := f.configured(c, args)
			if err != nil {
				return err
			}
			report, err := lock.Outdated(c.Context(), opt, f.registries(c))
			if err != nil {
				return err
			}
			if err := writeReport(c, report, format, "is up to date"); err != nil || report.UpToDate {
				return err
			}
			return errFindings
		},
	}
	f.registerFile(c)
	f.registerTemplate(c)
	f.registerContexts(c)
	f.registerConfig(c)
	c.Flags().StringSliceVar(&f.input.Platforms, "platform", nil, "compare for these `platforms`")
	completePlatforms(c)
	registerFormat(c, &format)
	return c
}

// writeReport writes the changes to standard output. That there are none is said on standard error:
// scripts take an empty output for it.
func writeReport(c *cobra.Command, report *lock.Report, format, upToDate string) error {
	if format == "json" {
		return report.WriteJSON(c.OutOrStdout())
	}
	if report.UpToDate {
		fmt.Fprintf(c.ErrOrStderr(), "samforge: %s %s\n", report.File, upToDate)
	}
	return report.WriteTable(c.OutOrStdout())
}
