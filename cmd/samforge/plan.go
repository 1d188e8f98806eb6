package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/plan"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

func planCommand() *cobra.Command {
	var f buildFlags
	var format string
	c := &cobra.Command{
		Use:   "plan [flags] [CONTEXT]",
		Short: "Show what a build would do, without building",
		Long: `Resolve everything that a build file names and show what samforge build would do: the images
with their tags and whether they already exist in their registry, what happens to the layers
of their bases, and what is pulled, downloaded and installed. Nothing is built, no layer is
pulled, and no builder is needed.

For a SAM template: what the image of each function is made from, as a digest and with --format
json part by part, and whether it would be built.`,
		Example: `  samforge plan
  samforge plan --target python3.12 --format json`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			p, err := f.load(c, args)
			if err != nil {
				return err
			}
			planned, err := planned(c, p, f.registries(c))
			if err != nil {
				return err
			}
			if format == "json" {
				return planned.WriteJSON(c.OutOrStdout())
			}
			return planned.WriteTable(c.OutOrStdout())
		},
	}
	f.registerInput(c)
	f.registerConfig(c)
	registerFormat(c, &format)
	return c
}

// registerFormat registers --format of a command that prints a table or a document.
func registerFormat(c *cobra.Command, format *string) {
	c.Flags().StringVar(format, "format", "table", "`format` of the output: table or json")
	completeFlag(c, "format", "table", "json")
}

func checkFormat(format string) error {
	if format != "table" && format != "json" {
		return &usageError{fmt.Errorf("--format %q: use table or json", format)}
	}
	return nil
}

// written is a plan that can be printed.
type written interface {
	WriteJSON(w io.Writer) error
	WriteTable(w io.Writer) error
}

func planned(c *cobra.Command, p *project.Project, client *registry.Client) (written, error) {
	if p.IsTemplate() {
		return plan.NewFunctions(c.Context(), p, client)
	}
	return plan.New(c.Context(), p, client)
}
