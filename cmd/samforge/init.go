package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/console"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

func initCommand() *cobra.Command {
	var o scaffold.Options
	c := &cobra.Command{
		Use:   "init [flags]",
		Short: "Write a first build file, or a SAM application",
		Long: `Write a first build file, with comments on its other keys. On a terminal samforge asks for
the values that no flag gives. --force replaces existing files.

--runtime takes what you know: nodejs24.x or python3.13 become the newest image of that runtime
in public.ecr.aws/sam. samforge lock pins everything else.

The files of the current folder propose what no flag gives: serverless.yml (or .yaml, .json) the
kind, the runtimes and an exact version of the framework; package.json with serverless or osls the
kind and its version; cdk.json the kind, with the version of aws-cdk in package.json. samforge says
what it takes from which file.

With --kind application it is a SAM template, with the Dockerfile and the code of a function
for one of Lambda's runtimes, such as nodejs24.x, python3.13, or provided.al2023 for Go. A
template that you have is a build file as it is.`,
		Example: `  samforge init
  samforge init --kind application --runtime nodejs24.x
  samforge init --kind sam --plugin harness/aws-sam-plugin:1.1.2-beta-base-image --plugin-version 1.1.2-beta \
    --runtime python3.13 --repo registry.example.com/ci/aws-sam-plugin`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runInit(c, o)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Kind, "kind", "", "kind of the images: "+strings.Join(llbgen.KindNames(), " or ")+"; or "+scaffold.Application+" for a SAM template")
	flags.StringVar(&o.Plugin, "plugin", "", "plugin `image`")
	flags.StringVar(&o.PluginVersion, "plugin-version", "", "plugin `version`, a part of every tag")
	flags.StringVar(&o.Repo, "repo", "", "`repository` of the images' tags (optional)")
	flags.StringArrayVar(&o.Runtimes, "runtime", nil, "`runtime`, such as python3.13, whose newest SAM build image is taken, or base image; may be repeated")
	flags.StringArrayVar(&o.Nodes, "node", nil, "`image` to copy Node.js from: one for all base images, or one for each")
	flags.StringVarP(&o.Path, "file", "f", "", "build `file` to write, - for standard output (default "+llbgen.Filename+", for an application "+scaffold.TemplateName+")")
	flags.BoolVar(&o.Force, "force", false, "replace existing files")
	completeFlag(c, "kind", append(llbgen.KindNames(), scaffold.Application)...)
	return c
}

// runInit is samforge init with these flags.
func runInit(c *cobra.Command, o scaffold.Options) error {
	o.Stdin, o.Stdout, o.Stderr = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
	o.Ask = isTerminal(o.Stdin)
	o.Template = existingTemplate()
	var err error
	if o.Found, err = scaffold.Find("."); err != nil {
		return err
	}
	if name := o.Template; name != "" && len(o.Found) == 0 && c.Flags().NFlag() == 0 {
		fmt.Fprintf(o.Stderr, "%s is a SAM template, and a build file as it is: samforge check, samforge build and samforge package read it.\n"+
			"For a samforge.yaml beside it, give samforge init a --kind.\n", name)
		return nil
	}
	var f buildFlags
	o.Tags = func(ctx context.Context, repository string) ([]string, error) {
		return f.registries(c).Tags(ctx, repository)
	}
	err = scaffold.Init(c.Context(), o)
	var input *scaffold.InputError
	if errors.As(err, &input) {
		return &usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	}
	return err
}

// existingTemplate returns the name of the SAM template in the current folder; "" if there is none,
// or a samforge.yaml.
func existingTemplate() string {
	if _, err := os.Stat(llbgen.Filename); err == nil {
		return ""
	}
	for _, name := range project.TemplateNames() {
		if data, err := userfile.Read(name, llbgen.MaxFileSize); err == nil && samtemplate.IsTemplate(data) {
			return name
		}
	}
	return ""
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	_, err := console.ConsoleFromFile(file)
	return err == nil
}
