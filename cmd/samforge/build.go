package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/packaging"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

func buildCommand() *cobra.Command {
	var f buildFlags
	w := watchFlags{buildFlags: &f}
	c := &cobra.Command{
		Use:   "build [flags] [CONTEXT]",
		Short: "Build the images of a build file or of a SAM template, and push them",
		Long: `Build the images of a build file, all at once.

The build file is samforge.yaml in the current directory or in CONTEXT, or --file.
Each of its values can be given or overridden with --build-arg; with all of them
given, no file is needed:

  samforge build --kind sam --push \
    --build-arg HARNESS_BASE_IMAGE=harness/aws-sam-plugin:1.1.2-beta-base-image \
    --build-arg VERSION=1.1.2 \
    --build-arg SAM_BASE_IMAGE=public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64 \
    --build-arg TARGET_REPO=registry.example.com/ci/aws-sam-plugin

The build arguments:

` + variablesHelp() + `
A SAM template is a build file too (--file, or template.yaml where there is no samforge.yaml):
its targets are the functions with PackageType Image, with the local tags of sam build, or with
--repo those of samforge package.

CONTEXT is the folder that serverless.lock is relative to, or
the URL of a git repository or an archive (with --file); by default it is the
folder of the build file. Nothing else is read from it.

With several builders each runtime is always built on the same one, whatever
their order. If a builder is lost, the others build what it had not finished.

Each finished image is one line on standard output, TAG@DIGEST.
Exit codes: 0 done, 1 the build or the push failed, 2 the input is wrong.`,
		Example: `  samforge build --push
  samforge build --push --target python3.12 --platform linux/amd64,linux/arm64
  samforge build --push --builder tcp://builder-1:1234 --builder tcp://builder-2:1234 --tlsdir certs
  samforge build --output type=oci,dest=image.tar --target nodejs22.x
  samforge build --file template.yaml --watch --invoke events/event.json`,
		Args: oneContext,
		RunE: func(c *cobra.Command, args []string) error {
			if w.on || w.event != "" {
				return w.run(c, args)
			}
			p, err := f.load(c, args)
			if err != nil {
				return err
			}
			_, err = f.run(c, p)
			return err
		},
	}
	f.register(c)
	w.register(c)
	registerSAM(c, buildSAMFlags())
	return c
}

// run builds a project.
func (f *buildFlags) run(c *cobra.Command, p *project.Project) ([]build.Built, error) {
	if err := refuseSAM(c, p, buildSAMFlags()); err != nil {
		return nil, err
	}
	if f.create && !f.build.Push {
		return nil, &usageError{errors.New("--create-repository is for a push: add --push")}
	}
	if err := f.prove(c, p); err != nil {
		return nil, err
	}
	f.build.Registries, f.build.Prepare = f.registries(c), f.prepare(c, registry.RepositorySettings{})
	if f.output.Output != "" {
		return f.buildTemplate(c.Context(), p)
	}
	return build.Build(c.Context(), p, f.build)
}

// buildTemplate builds the images of a SAM template, and writes it with them in it.
func (f *buildFlags) buildTemplate(ctx context.Context, p *project.Project) ([]build.Built, error) {
	switch {
	case !p.IsTemplate():
		return nil, &usageError{fmt.Errorf("--output-template-file is for a SAM template, and %s is none: leave it out", p.File.Name)}
	case !f.build.Load && !f.build.Push:
		return nil, &usageError{errors.New("--output-template-file: the template names images that must be somewhere: add --load for the Docker engine, or --push")}
	}
	if err := packaging.Check(p, f.output); err != nil {
		return nil, project.BadInput(err)
	}
	built, err := build.Build(ctx, p, f.build)
	if err != nil {
		return built, err
	}
	return built, packaging.Write(p, built, nil, f.output)
}
