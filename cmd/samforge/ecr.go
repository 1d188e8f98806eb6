package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/packaging"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// aws returns the identity for Amazon ECR.
func (f *buildFlags) aws() registry.AWS {
	return registry.AWS{Profile: f.profile, Region: f.input.Region, Called: func(setting string) string {
		switch setting {
		case registry.SettingProfile:
			return "--profile"
		case registry.SettingRegion:
			return "--region"
		}
		return setting
	}}
}

// registerCreate registers the flag that creates repositories.
func (f *buildFlags) registerCreate(c *cobra.Command) {
	c.Flags().BoolVar(&f.create, "create-repository", false, "create the repositories of the push, and of its caches, that are missing on Amazon ECR")
}

// prepare returns the function that makes the repositories of a push ready; nil if nothing is to be
// done.
func (f *buildFlags) prepare(c *cobra.Command, settings registry.RepositorySettings) func(ctx context.Context, refs []string, caches []registry.Cache) error {
	if !f.create {
		return nil
	}
	repositories := &registry.Repositories{AWS: f.aws(), Settings: settings, Create: true, Note: func(sentence string) {
		if !f.quiet {
			fmt.Fprintln(c.ErrOrStderr(), "samforge: "+sentence)
		}
	}}
	flag := "--create-repository"
	if !c.Flags().Changed("create-repository") {
		flag = "--resolve-image-repos"
	}
	return func(ctx context.Context, refs []string, caches []registry.Cache) error {
		if err := repositories.Prepare(ctx, refs...); err != nil {
			return awsError(flag, err)
		}
		return awsError(flag, repositories.PrepareCaches(ctx, refs, caches))
	}
}

// awsError returns an error of AWS about a flag. It is a mistake in the input if the settings cause it.
func awsError(flag string, err error) error {
	switch {
	case err == nil:
		return nil
	case registry.BadSettings(err):
		return project.BadInput(fmt.Errorf("%s: %w", flag, err))
	default:
		return fmt.Errorf("%s: %w", flag, err)
	}
}

// resolve gives each function a repository of its own in the registry of the AWS identity, if
// --resolve-image-repos says so, and returns the settings of the repositories.
func (f *packageFlags) resolve(ctx context.Context, template string, opt *project.Options) (registry.RepositorySettings, error) {
	if !f.resolveRepos {
		return registry.RepositorySettings{}, nil
	}
	host, err := f.aws().Account(ctx)
	if err != nil {
		return registry.RepositorySettings{}, awsError("--resolve-image-repos", err)
	}
	stack := cmp.Or(f.stack, packaging.StackName(template))
	opt.RepoOf = func(function string) string { return host + "/" + packaging.RepositoryName(stack, function) }
	f.create = true
	return packaging.FunctionRepository(), nil
}
