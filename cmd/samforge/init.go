package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/console"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/llbgen"
)

func initCommand() *cobra.Command {
	var o scaffold.Options
	c := &cobra.Command{
		Use:   "init [flags]",
		Short: "Write a first build file",
		Long: `Write a first build file, with comments on its other keys. On a terminal samforge asks for
the values that no flag gives. --force replaces an existing file.`,
		Example: `  samforge init
  samforge init --kind sam --plugin harness/aws-sam-plugin:1.1.2-beta-base-image --plugin-version 1.1.2-beta \
    --runtime public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Stdin, o.Stdout, o.Stderr = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
			o.Ask = isTerminal(o.Stdin)
			err := scaffold.Init(c.Context(), o)
			var input *scaffold.InputError
			if errors.As(err, &input) {
				return &usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
			}
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Kind, "kind", "", "kind of the images: "+strings.Join(llbgen.KindNames(), " or "))
	flags.StringVar(&o.Plugin, "plugin", "", "plugin `image`")
	flags.StringVar(&o.PluginVersion, "plugin-version", "", "plugin `version`, a part of every tag")
	flags.StringVar(&o.Repo, "repo", "", "`repository` of the images' tags (optional)")
	flags.StringArrayVar(&o.Runtimes, "runtime", nil, "base `image`; may be repeated")
	flags.StringArrayVar(&o.Nodes, "node", nil, "`image` to copy Node.js from: one for all base images, or one for each")
	flags.StringVarP(&o.Path, "file", "f", llbgen.Filename, "build `file` to write, - for standard output")
	flags.BoolVar(&o.Force, "force", false, "replace an existing file")
	completeFlag(c, "kind", llbgen.KindNames()...)
	return c
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	_, err := console.ConsoleFromFile(file)
	return err == nil
}
