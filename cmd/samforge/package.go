package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/packaging"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/samconfig"
	"github.com/samforge/samforge/llbgen"
)

// packageFlags are the flags of `samforge package`. Those of sam package have its names.
type packageFlags struct {
	buildFlags
	repositories []string
	resolveRepos bool   // a repository for each function
	stack        string // that the repositories belong to
	imageURI     string
}

func packageCommand() *cobra.Command {
	var f packageFlags
	c := &cobra.Command{
		Use:   "package [flags]",
		Short: "Build and push the functions of a SAM template, and write it with their images in it",
		Long: `Build the images of the functions of a SAM template, push them, and write the template with an
ImageUri in each function: what sam build and sam package do, without a Docker engine.

Every other byte of the template stays as it is. A function whose code, Dockerfile and base
image are what they were keeps its image: it is found in the repository by its tag, and nothing
is built or sent for it. Functions whose code is no image are left alone: sam package,
aws cloudformation package or sam deploy upload their code.

An image that Lambda would refuse is not pushed, and then no template is written.

Flags that are not given are taken from samconfig.toml beside the template, from its sections
for build and for package.

Each image is one line on standard output, TAG@DIGEST; on standard error if the template goes to
standard output.
Exit codes: 0 done, 1 the build or the push failed, 2 the input is wrong.`,
		Example: `  samforge package --image-repository 123456789012.dkr.ecr.eu-central-1.amazonaws.com/demo --output-template-file packaged.yaml
  sam deploy --template-file packaged.yaml --stack-name demo --capabilities CAPABILITY_IAM --image-repository …`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.registerPackage(c)
	return c
}

func (f *packageFlags) registerPackage(c *cobra.Command) {
	flags, o := c.Flags(), &f.input
	flags.SortFlags = false
	flags.StringVarP(&o.File, "template-file", "t", "", "SAM template `file` (default template.yaml, template.yml or template.json)")
	flags.StringVar(&f.repo, "image-repository", "", "push the images to this `repository`")
	flags.StringArrayVar(&f.repositories, "image-repositories", nil, "push the image of one function to a repository: `FUNCTION=REPOSITORY`; one for each function")
	flags.BoolVar(&f.resolveRepos, "resolve-image-repos", false, "push the image of each function to a repository of its own on Amazon ECR, which is created if it is missing")
	flags.StringVar(&f.stack, "stack-name", "", "`name` of the stack, which is in the names of the repositories of --resolve-image-repos (default sam-app- and the name of the template)")
	f.registerCreate(c)
	flags.StringVar(&f.output.Output, "output-template-file", "", "write the template to this `file` (default standard output)")
	flags.BoolVar(&f.output.JSON, "use-json", false, "write the template as JSON")
	flags.StringVar(&f.imageURI, "image-uri", "tag", "`form` of the images in the template: tag or digest")
	f.mayProve = true
	f.registerTemplate(c)
	f.registerConfig(c)
	flags.StringArrayVar(&f.args, "build-arg", nil, "build argument of every function: `NAME=VALUE`, or NAME to take it from the environment")
	flags.StringArrayVar(&o.BuildContexts, "build-context", nil, "named context, which can replace an image: `NAME=SOURCE`")
	flags.BoolVar(&f.locked, "locked", false, "refuse an image that is not in the lock file (template.lock)")
	flags.StringVar(&f.verify, "verify", "", "event: each function must answer events/FUNCTION.json before its image is pushed")
	flags.StringVar(&o.TagTemplate, "tag-template", "", "`template` of the tags (default "+project.FunctionTag+")")
	f.registerSettings(c)
	f.registerBuilder(c)
	c.Args = func(c *cobra.Command, args []string) error {
		if err := severalValues(c, args); err != nil {
			return err
		}
		return noArgs(c, args)
	}
	registerSAM(c, packageSAMFlags())
	completeFlag(c, "image-uri", "tag", "digest")
	completeFlag(c, "verify", verifyEvent)
}

func (f *packageFlags) run(c *cobra.Command) error {
	config, err := f.configure(c, "", "build", "package")
	if err != nil {
		return err
	}
	f.complete(c, config)
	if err := f.check(c); err != nil {
		return &usageError{err}
	}
	if err := f.takeTemplate(); err != nil {
		return err
	}
	f.input.Archives, f.build.Push = true, true
	opt, err := f.options(c, nil)
	if err != nil {
		return err
	}
	if opt.Repos, err = f.repos(); err != nil {
		return &usageError{err}
	}
	template, err := findTemplate(opt.File)
	if err != nil {
		return &usageError{err}
	}
	settings, err := f.resolve(c.Context(), template, &opt)
	if err != nil {
		return err
	}
	p, err := project.Load(c.Context(), opt)
	if err != nil {
		return err
	}
	if !p.IsTemplate() {
		return project.BadInput(fmt.Errorf("%s is no SAM template: name one with --template-file", p.File.Name))
	}
	f.output.Stdout, f.output.Digest = c.OutOrStdout(), f.imageURI == "digest"
	if f.output.Output == "" {
		f.build.Stdout = c.ErrOrStderr()
	}
	if err := packaging.Check(p, f.output); err != nil {
		return project.BadInput(err)
	}
	if err := f.prove(c, p); err != nil {
		return err
	}
	f.build.Registries, f.build.Prepare = f.registries(c), f.prepare(c, settings)
	if err := f.packageImages(c, p); err != nil {
		return err
	}
	if f.output.Output != "" && !f.quiet {
		fmt.Fprintf(c.ErrOrStderr(), "Successfully packaged artifacts and wrote output template to file %s.\n", f.output.Output)
	}
	return nil
}

// packageImages builds the images, pushes those that are in files, and writes the template.
func (f *packageFlags) packageImages(c *cobra.Command, p *project.Project) (err error) {
	archives, err := packaging.OpenArchives(p)
	if err != nil {
		return project.BadInput(err)
	}
	defer func() { err = errors.Join(err, archives.Close()) }()
	built, err := build.Build(c.Context(), p, f.build)
	if err != nil {
		return err
	}
	if f.build.Prepare != nil {
		if err := f.build.Prepare(c.Context(), archives.References(), nil); err != nil {
			return err
		}
	}
	pushed, err := archives.Push(c.Context(), f.build.Registries, func(sentence string) {
		if !f.quiet {
			fmt.Fprintln(c.ErrOrStderr(), "WARNING: "+sentence)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(pushed)) {
		fmt.Fprintln(f.build.Stdout, pushed[name])
	}
	if err != nil {
		return err
	}
	return packaging.Write(p, built, pushed, f.output)
}

// complete takes the flags of package that were not given from the configuration of SAM CLI.
func (f *packageFlags) complete(c *cobra.Command, config samconfig.Parameters) {
	given := c.Flags().Changed
	if !given("image-repository") && !given("image-repositories") && !given("resolve-image-repos") {
		f.repo, f.repositories, f.resolveRepos = config.ImageRepository, config.ImageRepositories, config.ResolveImageRepos
	}
	if !given("stack-name") {
		f.stack = config.StackName
	}
	if !given("output-template-file") {
		f.output.Output = config.OutputTemplateFile
	}
	if !given("use-json") {
		f.output.JSON = config.UseJSON
	}
}

// findTemplate returns the name of the template: file, or if that is empty the one in this folder.
func findTemplate(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	for _, name := range project.TemplateNames() {
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("this folder has none of %s: name a SAM template with --template-file (samforge init --kind application writes one)", strings.Join(project.TemplateNames(), ", "))
}

// takeTemplate makes a command about SAM templates take the template of the current folder, also
// beside a samforge.yaml. It returns a [*usageError] if there is none and the configuration of SAM CLI,
// which may name one, is missing too.
func (f *buildFlags) takeTemplate() error {
	if f.input.File != "" {
		return nil
	}
	name, err := findTemplate("")
	if err == nil {
		if _, err := os.Stat(llbgen.Filename); err == nil {
			f.input.File = name
		}
		return nil
	}
	if configurations, globErr := filepath.Glob("samconfig.*"); globErr != nil || len(configurations) > 0 {
		return globErr
	}
	return &usageError{err}
}

// check refuses flags that contradict each other, in the words of sam package.
func (f *packageFlags) check(c *cobra.Command) error {
	ways := 0
	for _, given := range []bool{f.repo != "", len(f.repositories) > 0, f.resolveRepos} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("Missing option '--image-repositories', '--image-repository', '--resolve-image-repos'")
	case ways > 1:
		return errors.New("Only one of the following can be provided: '--image-repositories', '--image-repository', '--resolve-image-repos'. Do you have multiple specified in the command or in a configuration file?")
	case c.Flags().Changed("stack-name") && !f.resolveRepos:
		return errors.New("--stack-name is for the repositories of --resolve-image-repos: leave it out, or add that")
	case !slices.Contains([]string{"tag", "digest"}, f.imageURI):
		return fmt.Errorf("--image-uri %s: use tag or digest", f.imageURI)
	}
	return nil
}

// repos reads --image-repositories.
func (f *packageFlags) repos() (map[string]string, error) {
	repos := map[string]string{}
	for _, value := range f.repositories {
		name, repo, ok := strings.Cut(value, "=")
		if !ok || name == "" || repo == "" || strings.Contains(repo, "=") {
			return nil, fmt.Errorf("--image-repositories %s is not a valid format, it needs to be of the form function_logical_id=REPOSITORY", value)
		}
		if _, twice := repos[name]; twice {
			return nil, fmt.Errorf("--image-repositories: %s has two repositories", name)
		}
		repos[name] = repo
	}
	return repos, nil
}
