package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/images"
)

func graphCommand() *cobra.Command {
	var f buildFlags
	var format string
	c := &cobra.Command{
		Use:   "graph [flags] [CONTEXT]",
		Short: "Draw the images and the layers that they share",
		Long: `Draw the images of a build file as what they are made of: a box for each layer, in the order
of the image, and once only where several images share it. As with samforge plan, nothing is
built and no layer is pulled.`,
		Example: `  samforge graph >images.svg
  samforge graph --format dot | dot -Tpng -o images.png`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(images.PictureFormats(), format) {
				return &usageError{fmt.Errorf("--format %q: use %s", format, strings.Join(images.PictureFormats(), ", "))}
			}
			opt, err := f.options(c, args)
			if err != nil {
				return &usageError{err}
			}
			picture, err := images.Draw(c.Context(), opt)
			if err != nil {
				return err
			}
			return picture.Write(c.OutOrStdout(), format)
		},
	}
	f.registerInput(c)
	c.Flags().StringVar(&format, "format", "svg", "`format` of the picture: "+strings.Join(images.PictureFormats(), ", "))
	completeFlag(c, "format", images.PictureFormats()...)
	return c
}
