package main

import (
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/llbgen"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the build file",
		Long: `Print the JSON Schema of the build file. Editors complete and check the file with it.
docs/build-file.md says how to set one up.`,
		Example: `  samforge schema >samforge.schema.json`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			schema, err := llbgen.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(schema)
			return err
		},
	}
}
