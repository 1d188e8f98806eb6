// The flags of the commands that read a build file, and how they become options.

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/packaging"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/roundtrip"
	"github.com/samforge/samforge/internal/samconfig"
	"github.com/samforge/samforge/llbgen"
)

// buildFlags are the flags of the commands that read a build file. A command registers those that
// it uses.
type buildFlags struct {
	input project.Options
	build build.Options

	// These cannot simply be copied into the options.
	args, labels, mirrors  []string
	attests, overrides     []string
	kind, repo, provenance string
	sbom, verify           string
	envArgs, quiet, locked bool
	mayProve               bool    // --verify=event
	said, told             bool    // what defaults were taken, and what variables
	certificates           *string // the flag for certificates of the command line
	config                 configFlags
	sections               []string             // of the configuration of SAM CLI, beside that of build
	sam                    samconfig.Parameters // what it says
	profile                string               // of AWS
	create                 bool                 // the repositories
	output                 packaging.Options    // of the SAM template with the images in it
}

// silence reads from the environment how long builders, registries and download servers may send
// nothing.
func silence() (s builder.SilenceOptions, err error) {
	s.Limit = roundtrip.DefaultSilence
	for name, limit := range map[string]*time.Duration{"SAMFORGE_SILENCE": &s.Limit, "SAMFORGE_PUSH_LIMIT": &s.PushLimit} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if *limit, err = time.ParseDuration(value); err != nil || *limit < 0 {
			return s, fmt.Errorf("%s=%s: expected a duration such as 90s or 5m, or 0 to wait for ever", name, value)
		}
	}
	return s, nil
}

// oneContext refuses more than one argument. It also refuses an empty one, which comes from a
// variable without a value.
func oneContext(c *cobra.Command, args []string) error {
	if err := severalValues(c, args); err != nil {
		return err
	}
	if len(args) > 1 || slices.Contains(args, "") {
		return &usageError{fmt.Errorf("%s takes one build context at most, found %q%s (see %s --help)", c.CommandPath(), args, targetsAmong(c, args), c.CommandPath())}
	}
	return nil
}

// targetsAmong is the end of a sentence about arguments that may be meant as targets.
func targetsAmong(c *cobra.Command, args []string) string {
	var flags []string
	for _, arg := range args {
		if _, err := os.Stat(arg); err != nil && arg != "" && arg != "-" && !strings.Contains(arg, "/") {
			flags = append(flags, "--target "+arg)
		}
	}
	if len(flags) == 0 || c.Flags().Lookup("target") == nil {
		return ""
	}
	return "; targets are " + strings.Join(flags, " ")
}

// recipeFlags are the flags that a SAM template has no use for.
func recipeFlags() []string {
	return []string{"kind", "env-args", "verify", "mirror"}
}

func variablesHelp() string {
	var help strings.Builder
	for _, v := range llbgen.Variables() {
		fmt.Fprintf(&help, "  %-28s %s\n", v.Name, v.Help)
	}
	return help.String()
}

func (f *buildFlags) register(c *cobra.Command) {
	f.registerInput(c)
	f.registerProof(c)
	c.Flags().StringVar(&f.input.File, "template-file", "", "") // of sam build
	_ = c.Flags().MarkHidden("template-file")
	f.registerConfig(c)
	f.registerSettings(c)
	flags, o := c.Flags(), &f.build
	flags.BoolVar(&o.Push, "push", false, "push the images")
	f.registerCreate(c)
	flags.BoolVar(&o.Load, "load", false, "load the images into the Docker engine")
	flags.StringArrayVarP(&o.Outputs, "output", "o", nil, "`output`, as in docker buildx build: type=local,dest=DIR and others")
	flags.StringVar(&f.output.Output, "output-template-file", "", "write a SAM template with the images in it to this `file`, for sam local and sam deploy; with --load or --push")
	flags.BoolVar(&o.SkipExisting, "skip-existing", false, "leave out images whose tag is in the registry")
	flags.StringVar(&o.IIDFile, "iidfile", "", "write the image ID to this `file`; one target only")
	completeStart(c, "output", typesOf(build.OutputTypes()...)...)
	f.registerBuilder(c)
}

// registerBuilder registers the flags that say where and how images are built.
func (f *buildFlags) registerBuilder(c *cobra.Command) {
	flags, o := c.Flags(), &f.build
	flags.BoolVar(&o.NoSkip, "no-skip", false, "build the functions of a SAM template even if an image of the same inputs is in the registry")
	flags.BoolVar(&o.NoCache, "no-cache", false, "run every step again")
	flags.StringSliceVar(&o.NoCacheFilter, "no-cache-filter", nil, "run every step of these `targets` again")

	flags.StringVar(&o.Network, "network", "default", "`network` of the build steps: default, none or host, which the builder must allow")
	flags.StringArrayVar(&o.AddHosts, "add-host", nil, "let the build steps find a host at an address: `HOST:IP`")

	flags.StringArrayVar(&o.Builders, "builder", nil, "`address` of a buildkitd, such as unix:///run/buildkit/buildkitd.sock; given several times, they share the targets (default $BUILDKIT_HOST, else one that samforge finds or starts)")
	f.registerTLS(c)
	flags.StringVar(&o.MetadataFile, "metadata-file", "", "write the build's metadata to this `file`, as docker buildx does")
	flags.BoolVar(&o.CheckPush, "check-push", true, "before a build that is pushed, ask each repository whether it takes a push")
	flags.StringVar(&o.Summary, "summary", "auto", "what the build did: auto, a summary on standard error; none; json, a document on standard output in place of the references")
	flags.StringVar(&o.Progress, "progress", "auto", "`type` of progress output: auto, tty, plain, rawjson or quiet")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")

	completeList(c, "no-cache-filter", f.targets)
	completeFlag(c, "network", "default", "none", "host")
	completeFlag(c, "summary", build.SummaryForms()...)
	completeFlag(c, "progress", "auto", "tty", "plain", "rawjson", "quiet")
}

// registerTLS registers the flags for the certificates of a tcp builder.
func (f *buildFlags) registerTLS(c *cobra.Command) {
	flags, tls := c.Flags(), &f.build.Builder.TLS
	flags.StringVar(&tls.CACert, "tlscacert", "", "CA certificate `file` of a tcp builder")
	flags.StringVar(&tls.Cert, "tlscert", "", "client certificate `file` for a tcp builder")
	flags.StringVar(&tls.Key, "tlskey", "", "client key `file` for a tcp builder")
	flags.StringVar(&tls.ServerName, "tlsservername", "", "`name` in the certificate of a tcp builder (default its host)")
	flags.StringVar(&tls.Dir, "tlsdir", "", "`folder` with ca.pem, cert.pem and key.pem for a tcp builder")
}

// registerFile registers the flags for the content of the build file.
func (f *buildFlags) registerFile(c *cobra.Command) {
	flags, o := c.Flags(), &f.input
	flags.SortFlags = false
	flags.StringVarP(&o.File, "file", "f", "", "build `file`, - for standard input (default CONTEXT/samforge.yaml)")
	flags.StringVar(&f.kind, "kind", "", "kind of the images: "+strings.Join(llbgen.KindNames(), " or "))
	flags.StringArrayVar(&f.args, "build-arg", nil, "override a value of the build file: `NAME=VALUE`, or NAME to take it from the environment")
	flags.BoolVar(&f.envArgs, "env-args", false, "take every build argument that the kind of the images has from the environment")
	flags.StringVar(&f.verify, "verify", "", "which checks to run: static (what is known about runtime and node image), full (the finished image too), off (default static)")
	flags.BoolVar(&f.locked, "locked", false, "refuse anything that is not in the lock file (samforge.lock, template.lock)")
	flags.StringArrayVar(&f.mirrors, "mirror", nil, "fetch from elsewhere: `FROM=TO`, both registries or both URL prefixes")

	completeArgs(c)
	completeFlag(c, "kind", llbgen.KindNames()...)
	completeFlag(c, "verify", llbgen.VerifyStatic, llbgen.VerifyFull, llbgen.VerifyOff)
}

// registerInput registers the flags that describe the images, independent of the builder.
func (f *buildFlags) registerInput(c *cobra.Command) {
	f.registerFile(c)
	f.registerTargets(c, "build")
	flags, o := c.Flags(), &f.input
	flags.StringSliceVar(&o.Platforms, "platform", nil, "build for these `platforms`, such as linux/amd64,linux/arm64")
	f.registerContexts(c)

	flags.StringVar(&f.repo, "repo", "", "tag the images in this `repository`")
	flags.StringVar(&o.TagTemplate, "tag-template", "", "`template` of the tags, with placeholders such as {{.Version}}: "+strings.Join(llbgen.TagFields(), " "))
	flags.StringArrayVarP(&o.Tags, "tag", "t", nil, "`reference` instead of the one made from the build file; one target only")

	completePlatforms(c)
}

// registerTargets registers the flags that choose the targets to do something with, and those for
// the content of a SAM template.
func (f *buildFlags) registerTargets(c *cobra.Command, do string) {
	flags, o := c.Flags(), &f.input
	flags.StringArrayVar(&o.Targets, "target", nil, do+" this `target` or runtime; may be repeated (default all)")
	flags.StringArrayVarP(&o.Excludes, "exclude", "x", nil, "do not "+do+" this `function` of a SAM template; may be repeated")
	f.registerTemplate(c)
	f.completeTarget(c)
}

func (f *buildFlags) registerContexts(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.input.BuildContexts, "build-context", nil, "named context, which can replace an image: `NAME=SOURCE`")
}

// registerTemplate registers the flags for the content of a SAM template.
func (f *buildFlags) registerTemplate(c *cobra.Command) {
	flags, o := c.Flags(), &f.input
	flags.StringArrayVar(&f.overrides, "parameter-overrides", nil, "`parameters` of a SAM template: NAME=VALUE or ParameterKey=NAME,ParameterValue=VALUE, several with spaces between, or file://NAME for a YAML or TOML file with a table of them; may be repeated")
	flags.StringVar(&f.profile, "profile", "", "`profile` in the configuration of AWS, for the credentials of Amazon ECR")
	flags.StringVar(&o.Region, "region", "", "AWS `region` of a SAM template, the value of AWS::Region (default us-east-1)")
	flags.StringVarP(&o.BaseDir, "base-dir", "s", "", "`folder` that the paths in a SAM template are relative to (default its own)")
}

// registerSettings registers the flags for settings that apply to every target.
func (f *buildFlags) registerSettings(c *cobra.Command) {
	flags, o := c.Flags(), &f.build.Settings
	flags.StringArrayVar(&o.Annotations, "annotation", nil, "OCI annotation: `[TYPE:]KEY=VALUE`")
	flags.StringArrayVar(&f.labels, "label", nil, "label of the image config: `KEY=VALUE`")
	flags.StringArrayVar(&f.attests, "attest", nil, "attestation: `type=TYPE` and its attributes, as in docker buildx build")
	flags.StringVar(&f.provenance, "provenance", "", "provenance attestation: true, or its `attributes` such as mode=max")
	flags.StringVar(&f.sbom, "sbom", "", "SBOM attestation: true for what samforge knows about the image, which pulls nothing; or its `attributes`, such as generator=IMAGE, whose scanner reads the whole image")

	flags.StringArrayVar(&o.CacheFrom, "cache-from", nil, "cache `source`, such as type=registry,ref=registry.example.com/cache; {{.Target}}, {{.Runtime}} and {{.Variant}} are filled in")
	flags.StringArrayVar(&o.CacheTo, "cache-to", nil, "cache `destination`, such as type=registry,ref=registry.example.com/cache:{{.Target}}, one for each target")
	flags.StringArrayVar(&o.Secrets, "secret", nil, "`secret` for the build: id=ID[,src=FILE|,env=NAME]")
	flags.StringArrayVar(&o.SSH, "ssh", nil, "SSH agent socket or `keys` for the build: default|ID[=SOCKET|KEY[,KEY]]")

	completeStart(c, "cache-from", cacheTypes()...)
	completeStart(c, "cache-to", cacheTypes()...)
}

// registries returns a client for registries, which also finds the credentials for the builder.
// Call it after the options are read. Its warnings go to standard error.
func (f *buildFlags) registries(c *cobra.Command) *registry.Client {
	warn := func(sentence string) { fmt.Fprintln(c.ErrOrStderr(), "WARNING: "+sentence) }
	return registry.NewClient(registry.NewKeychain(warn, f.aws()), f.build.Silence.Limit)
}

// load reads the project that the flags and the argument (a build context) name.
func (f *buildFlags) load(c *cobra.Command, args []string) (*project.Project, error) {
	opt, err := f.configured(c, args)
	if err != nil {
		return nil, err
	}
	return project.Load(c.Context(), opt)
}

// configured is options, with what the configuration of SAM CLI has for a SAM template.
func (f *buildFlags) configured(c *cobra.Command, args []string) (project.Options, error) {
	if err := f.configureBuild(c, args); err != nil {
		return project.Options{}, err
	}
	certificates := f.tlsFlag(c)
	if err := f.applyDefaults(c, strings.Join(args, "")); err != nil {
		return project.Options{}, err
	}
	if err := f.checkTLS(certificates); err != nil {
		return project.Options{}, err
	}
	return f.options(c, args)
}

// options turns the flags and the argument into options. Mistakes are a [*usageError].
func (f *buildFlags) options(c *cobra.Command, args []string) (project.Options, error) {
	o, err := f.parse(c, args)
	if err != nil {
		return o, &usageError{err}
	}
	if !f.quiet {
		f.tellEnvironment(c)
	}
	// Also with --quiet: a variable of the pipeline may be meant for something else.
	o.Taken = func(args map[string]string) { fmt.Fprintln(c.ErrOrStderr(), taken(args)) }
	return o, nil
}

// changed returns the flags among these that were given.
func changed(c *cobra.Command, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !c.Flags().Changed(name) })
}

func (f *buildFlags) parse(c *cobra.Command, args []string) (project.Options, error) {
	o := f.input
	o.Stdin = c.InOrStdin()
	if len(args) > 0 {
		o.Context = args[0]
	}
	if c.Flags().Lookup("target") != nil {
		o.TargetFlag = "--target"
	}
	if f.verify == verifyEvent && !f.mayProve {
		return o, errors.New("--verify=event is for samforge build and samforge package")
	}
	if f.envArgs {
		o.Environment = os.Getenv
	}
	var err error
	if o.BuildArgs, err = f.buildArgs(); err != nil {
		return o, err
	}
	if c.Flags().Changed("parameter-overrides") {
		if o.Parameters, err = samconfig.ParseOverrides(c.Context(), f.overrides...); err != nil {
			return o, err
		}
	}
	o.Flags = f.flagsOfArgs()
	o.BuildMode = os.Getenv(project.BuildModeArg)
	o.Repo = f.repo
	o.TemplateFlags = changed(c, "exclude", "parameter-overrides", "region", "base-dir")
	o.RecipeFlags = changed(c, recipeFlags()...)
	if f.verify == verifyEvent {
		o.RecipeFlags = slices.DeleteFunc(o.RecipeFlags, func(name string) bool { return name == "verify" })
	}
	if err = f.checkValues(); err != nil {
		return o, err
	}
	mirrors, err := pairs("--mirror", f.mirrors)
	if err != nil {
		return o, err
	}
	o.Mirrors = llbgen.Mirrors(mirrors)
	o.NewestImage = f.newestImage(c)

	b := &f.build
	if b.Silence, err = silence(); err != nil {
		return o, err
	}
	b.Stdout, b.Stderr = c.OutOrStdout(), c.ErrOrStderr()
	if b.Labels, err = pairs("--label", f.labels); err != nil {
		return o, err
	}
	b.Attests = slices.Concat(f.attests, attest("sbom", f.sbom), attest("provenance", f.provenance))
	if f.quiet {
		b.Progress = "quiet"
	} else {
		b.Builder.Log = func(sentence string) { fmt.Fprintln(b.Stderr, "samforge: "+sentence) }
	}
	return o, nil
}

// buildArgs collects the build arguments from --build-arg and from the flags that are short for
// one.
func (f *buildFlags) buildArgs() (map[string]string, error) {
	args := map[string]string{}
	if epoch, ok := os.LookupEnv(llbgen.EpochArg); ok {
		args[llbgen.EpochArg] = epoch
	}
	for _, arg := range f.args {
		name, value, ok := strings.Cut(arg, "=")
		if name == "" {
			return nil, fmt.Errorf("--build-arg %q: expected NAME=VALUE", arg)
		}
		if !ok {
			if value, ok = os.LookupEnv(name); !ok {
				continue // as in docker: an unset variable is not passed
			}
		}
		args[name] = value
	}
	for name, value := range map[string]string{"SAMFORGE_KIND": f.kind, "SAMFORGE_VERIFY": f.verify} {
		if value != "" && value != verifyEvent {
			args[name] = value
		}
	}
	if f.locked {
		args[llbgen.LockedArg] = "true"
	}
	return args, nil
}

// flagsOfArgs returns the flags that were given and are short for a build argument, by its name.
func (f *buildFlags) flagsOfArgs() map[string]string {
	flags := map[string]string{}
	for name, of := range map[string]struct{ flag, value string }{
		"TARGET_REPO": {"--repo", f.repo}, "SAMFORGE_KIND": {"--kind", f.kind}, "SAMFORGE_VERIFY": {"--verify", f.verify},
	} {
		if of.value != "" {
			flags[name] = of.flag
		}
	}
	return flags
}
