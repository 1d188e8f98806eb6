package main

// What samforge takes from the environment is said, since no command line shows it.

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// tellEnvironment says once which variables change where a build runs or what it makes, although
// nothing on the command line names them.
func (f *buildFlags) tellEnvironment(c *cobra.Command) {
	builder := c.Flags().Lookup("builder")
	if builder == nil || f.told {
		return
	}
	f.told = true
	text := ""
	for _, variable := range [][2]string{
		{"BUILDKIT_HOST", os.Getenv("BUILDKIT_HOST")},
		{llbgen.EpochArg, os.Getenv(llbgen.EpochArg)},
		{project.BuildModeArg, os.Getenv(project.BuildModeArg)},
	} {
		name, value := variable[0], variable[1]
		given := slices.ContainsFunc(f.args, func(arg string) bool { return strings.HasPrefix(arg, name+"=") })
		if value == "" || given || name == "BUILDKIT_HOST" && builder.Changed {
			continue
		}
		text += " " + name + "=" + credentials.Mask(value)
	}
	if text != "" {
		fmt.Fprintln(c.ErrOrStderr(), "samforge: from the environment:"+text)
	}
}

// taken lists the build arguments that --env-args took.
func taken(args map[string]string) string {
	text := "samforge: --env-args took from the environment:"
	for _, name := range slices.Sorted(maps.Keys(args)) {
		text += " " + name + "=" + credentials.Mask(args[name])
	}
	return text
}
