package main

// Shell completion: the shell scripts of `samforge completion` call these for the values of flags.

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeFlag completes a flag with these values. The only possible error is that the flag does
// not exist, and it does.
func completeFlag(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, noFiles))
}

// completeList does the same for a flag with a comma-separated list of values.
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

// completeStart does the same for the start of values: the shell adds no space after it.
func completeStart(c *cobra.Command, flag string, starts ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(starts, noFiles|cobra.ShellCompDirectiveNoSpace))
}

// completeArgs completes --build-arg with the names of the build arguments.
func completeArgs(c *cobra.Command) {
	var names []string
	for _, v := range llbgen.Variables() {
		names = append(names, v.Name+"=")
	}
	completeStart(c, "build-arg", names...)
}

// typesOf returns the start of a value for each type.
func typesOf(names ...string) (starts []string) {
	for _, name := range names {
		starts = append(starts, "type="+name)
	}
	return starts
}

// cacheTypes are the types of BuildKit's caches.
func cacheTypes() []string {
	return typesOf("azblob", "gha", "inline", "local", "registry", "s3")
}

func completePlatforms(c *cobra.Command) {
	completeList(c, "platform", func(*cobra.Command, []string) []string { return []string{"linux/amd64", "linux/arm64"} })
}

// completeTarget completes --target with the targets of the build file.
func (f *buildFlags) completeTarget(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("target", func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return f.targets(c, args), noFiles
	})
}

// targets returns the targets of the build file, or none if it cannot be read.
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
