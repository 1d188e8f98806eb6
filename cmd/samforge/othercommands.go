package main

// Unknown commands: what takes the place of those of other tools.

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/suggest"
)

// otherCommands are commands of SAM CLI, Docker and linters that samforge has under another name, or
// not at all.
func otherCommands() map[string]string {
	const check = "samforge check looks for mistakes"
	const deploy = "samforge package pushes the images of a SAM template and writes the one that sam deploy deploys"
	return map[string]string{
		"run": "samforge invoke runs a function", "local": "samforge invoke and samforge start-api take the place of sam local", "exec": "samforge invoke runs a function",
		"clean": "samforge prune removes what builders keep", "rm": "samforge prune removes what builders keep",
		"lint": check, "validate": check, "verify": check, "scan": check,
		"deploy": deploy, "sync": deploy, "push": "samforge build --push pushes the images", "publish": "samforge build --push pushes the images",
		"update": "samforge lock --help says how a lock file is renewed, and samforge outdated what is newer",
	}
}

// commandNames are the names of the commands that --help shows.
func commandNames(c *cobra.Command) (names []string) {
	for _, command := range c.Commands() {
		if command.IsAvailableCommand() {
			names = append(names, command.Name())
		}
	}
	return names
}

// knownCommand refuses an unknown command, and says which one may be meant.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q (see %s --help)", args[0], c.CommandPath())
	if instead, ok := otherCommands()[args[0]]; ok {
		text += ": " + instead
	} else if near := suggest.Nearest(args[0], commandNames(c)); near != "" {
		text += ": did you mean " + near + "?"
	}
	return &usageError{errors.New(text)}
}

// refuseOtherTopics makes samforge help and samforge completion refuse what they do not know, which
// cobra answers with the general help and exit code 0. Call it when the output is set: cobra's commands
// for completion keep it.
func refuseOtherTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(c *cobra.Command, args []string) error {
				found, rest, err := c.Root().Find(args)
				if err != nil || len(rest) == 0 {
					return err
				}
				return knownCommand(found, rest)
			}
		case "completion":
			c.Args, c.RunE = knownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}
