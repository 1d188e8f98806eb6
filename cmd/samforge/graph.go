package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/atomicwriter"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/plan"
)

func graphCommand() *cobra.Command {
	var f buildFlags
	var format, output string
	c := &cobra.Command{
		Use:   "graph [flags] [CONTEXT]",
		Short: "Draw the images and the layers that they share",
		Long: `Draw the images of a build file and their layers: a box for each layer, in the order
of the image, and only one box if several images share it. As with samforge plan, nothing is
built and no layer is pulled.

For a SAM template: what the functions are built from, with a box for each image that their
Dockerfiles reach and for each folder. Functions that are built from the same are one image.`,
		Example: `  samforge graph -o images.svg
  samforge graph --format dot | dot -Tpng -o images.png`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if ending := strings.TrimPrefix(filepath.Ext(output), "."); !c.Flags().Changed("format") && slices.Contains(plan.PictureFormats(), ending) {
				format = ending
			}
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
			if output == "" || output == "-" {
				return picture.Write(c.OutOrStdout(), format)
			}
			var text bytes.Buffer
			if err := picture.Write(&text, format); err != nil {
				return err
			}
			return atomicwriter.WriteFile(output, text.Bytes(), 0o644)
		},
	}
	f.registerInput(c)
	f.registerConfig(c)
	c.Flags().StringVar(&format, "format", "svg", "`format` of the picture: "+strings.Join(plan.PictureFormats(), ", ")+" (default that of the ending of --output, else svg)")
	c.Flags().Lookup("format").DefValue = ""
	c.Flags().StringVarP(&output, "output", "o", "", "write the picture to this `file` (default standard output)")
	completeFlag(c, "format", plan.PictureFormats()...)
	return c
}
