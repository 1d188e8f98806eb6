package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/llbgen"
)

// newestLimit is how long the search for the newest image of a runtime may take. It only makes a
// message better.
const newestLimit = 10 * time.Second

// newestImage returns a function that finds the newest image of a runtime, and asks the registry once
// for each: see [project.Options].
func (f *buildFlags) newestImage(c *cobra.Command) func(ctx context.Context, runtime string, mirrors llbgen.Mirrors) string {
	found := map[string]string{}
	return func(ctx context.Context, runtime string, mirrors llbgen.Mirrors) string {
		if image, ok := found[runtime]; ok {
			return image
		}
		ctx, cancel := context.WithTimeout(ctx, newestLimit)
		defer cancel()
		image, err := scaffold.NewestImage(ctx, runtime, f.registries(c).Tags, mirrors)
		if err != nil {
			image = ""
		}
		found[runtime] = image
		return image
	}
}
