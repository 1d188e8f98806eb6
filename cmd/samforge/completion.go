package main

// Shell completion: what `samforge completion` sets up asks these for the values
// of flags.

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeFlag has a flag completed with these values. The flag exists, which is
// all that can go wrong.
func completeFlag(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, noFiles))
}

// completeList does so for a flag that takes several values between commas.
func completeList(c *cobra.Command, flag string, values func(c *cobra.Command, args []string) []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		var whole []string
		for _, value := range values(c, args) {
			if !strings.Contains(","+before, ","+value+",") {
				whole = append(whole, before+value)
			}
		}
		return whole, noFiles
	})
}

func completePlatforms(c *cobra.Command) {
	completeList(c, "platform", func(*cobra.Command, []string) []string { return []string{"linux/amd64", "linux/arm64"} })
}

// completeTarget has --target completed with the targets of the build file.
func (f *buildFlags) completeTarget(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("target", func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return f.targets(c, args), noFiles
	})
}

// targets are those of the build file; none where it cannot be read.
func (f *buildFlags) targets(c *cobra.Command, args []string) []string {
	opt, err := f.parse(c, args)
	if err != nil || opt.File == "-" {
		return nil
	}
	names, err := project.TargetNames(c.Context(), opt)
	if err != nil {
		cobra.CompDebugln(err.Error(), false)
	}
	return names
}
