package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/plan"
)

func graphCommand() *cobra.Command {
	var f buildFlags
	var format string
	c := &cobra.Command{
		Use:   "graph [flags] [CONTEXT]",
		Short: "Draw the images and the layers that they share",
		Long: `Draw the images of a build file and their layers: a box for each layer, in the order
of the image, and only one box if several images share it. As with samforge plan, nothing is
built and no layer is pulled.

For a SAM template: what the functions are built from, with a box for each image that their
Dockerfiles reach and for each folder. Functions that are built from the same are one image.`,
		Example: `  samforge graph >images.svg
  samforge graph --format dot | dot -Tpng -o images.png`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(plan.PictureFormats(), format) {
				return &usageError{fmt.Errorf("--format %q: use %s", format, strings.Join(plan.PictureFormats(), ", "))}
			}
			p, err := f.load(c, args)
			if err != nil {
				return err
			}
			picture, err := plan.Draw(c.Context(), p, f.registries(c))
			if err != nil {
				return err
			}
			return picture.Write(c.OutOrStdout(), format)
		},
	}
	f.registerInput(c)
	f.registerConfig(c)
	c.Flags().StringVar(&format, "format", "svg", "`format` of the picture: "+strings.Join(plan.PictureFormats(), ", "))
	completeFlag(c, "format", plan.PictureFormats()...)
	return c
}
