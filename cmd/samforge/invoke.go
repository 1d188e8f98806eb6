package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/samtemplate"
)

// runFlags are the flags of the commands that run functions.
type runFlags struct {
	buildFlags
	envVars     string
	network     bool
	credentials bool
}

// invokeFlags are the flags of samforge invoke.
type invokeFlags struct {
	runFlags
	event       string
	image       string
	timeout     int
	memory      int64
	invocations int
}

func invokeCommand() *cobra.Command {
	var f invokeFlags
	f.sections = []string{"local_invoke"}
	c := &cobra.Command{
		Use:   "invoke [flags] [FUNCTION]",
		Short: "Build a function of a SAM template, and run it under the limits of Lambda",
		Long: `Build the image of a function and run it once, under the limits that Lambda would run it with:
Timeout, MemorySize, EphemeralStorage, an unprivileged user, a root that nobody can write to, and
no network but its own. It needs no Docker engine, and works on a remote and a rootless builder.

The response goes to standard output, and the logs to standard error.
Exit codes: 0 done, 1 the function or the build failed, 2 the input is wrong.`,
		Example: `  samforge invoke HelloWorld --event events/hello.json
  echo '{"name": "world"}' | samforge invoke HelloWorld -e -
  samforge invoke --image registry.example.com/app:1 --timeout 30 -e event.json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{fmt.Errorf("%s takes one function, found %q (see %s --help)", c.CommandPath(), args, c.CommandPath())}
			}
			return nil
		},
		RunE: f.run,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.event, "event", "e", "", "`file` with the event, - for standard input (default {})")
	flags.StringVar(&f.image, "image", "", "run this `image` as it is, from a registry or as oci-layout://FOLDER, and no function of a template")
	flags.IntVar(&f.timeout, "timeout", 3, "time of an invocation of --image, in `seconds`")
	flags.Int64Var(&f.memory, "memory", 128, "memory of --image, in `megabytes`")
	flags.StringSliceVar(&f.input.Platforms, "platform", nil, "`platform` of --image (default that of the builder)")
	flags.IntVar(&f.invocations, "invocations", 1, "invoke one instance this `number` of times")
	f.register(c)
	return c
}

// register registers the flags for the template, for how its functions run, and for the builder.
func (f *runFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.input.File, "template-file", "t", "", "SAM template (default template.yaml)")
	flags.StringVarP(&f.input.File, "file", "f", "", "")
	_ = flags.MarkHidden("file")
	flags.StringVarP(&f.envVars, "env-vars", "n", "", "`file` with variables of functions, as JSON: {\"FUNCTION\": {\"NAME\": \"VALUE\"}}, or Parameters for all")
	flags.BoolVar(&f.network, "network", false, "let the function reach the network of the builder")
	flags.BoolVar(&f.credentials, "credentials", false, "give the function the credentials of AWS that the AWS CLI would use here, or those of --profile")
	f.registerTemplate(c)
	flags.StringArrayVar(&f.args, "build-arg", nil, "build argument of the Dockerfile: `NAME=VALUE`, or NAME to take it from the environment")
	f.registerContexts(c)
	f.registerConfig(c)
	f.registerSettings(c)
	flags.StringArrayVar(&f.build.Builders, "builder", nil, "`address` of a buildkitd (default $BUILDKIT_HOST, else one that samforge finds or starts)")
	f.registerTLS(c)
	registerSAM(c, localSAMFlags())
	flags.StringVar(&f.build.Progress, "progress", "plain", "`type` of progress output: plain, rawjson or quiet")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
}

// function returns what the template and --env-vars set for a function.
func (f *runFlags) function(c *cobra.Command, of *samtemplate.Function) (invoke.Function, error) {
	function, warnings := invoke.Of(of)
	for _, warning := range warnings {
		fmt.Fprintf(c.ErrOrStderr(), "WARNING: %s: %s\n", of.Path, warning)
	}
	if path := cmp.Or(f.envVars, f.sam.EnvVars); path != "" {
		if err := function.SetVariables(path, of); err != nil {
			return function, &usageError{fmt.Errorf("--env-vars: %w", err)}
		}
	}
	return function, nil
}

// keys returns the credentials for functions as variables, and the region that they run in.
func (f *runFlags) keys(c *cobra.Command) (variables map[string]string, region string, err error) {
	if !f.credentials {
		return nil, f.region(), nil
	}
	if !f.network {
		fmt.Fprintln(c.ErrOrStderr(), "WARNING: --credentials: without --network a function reaches nothing that they are for")
	}
	identity := f.aws()
	if identity.Region == "" {
		identity.Region = cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	}
	keys, err := identity.Keys(c.Context())
	if err != nil {
		return nil, "", fmt.Errorf("--credentials: %w", err)
	}
	variables = map[string]string{"AWS_ACCESS_KEY_ID": keys.AccessKey, "AWS_SECRET_ACCESS_KEY": keys.SecretKey}
	if keys.SessionToken != "" {
		variables["AWS_SESSION_TOKEN"] = keys.SessionToken
	}
	return variables, keys.Region, nil
}

func (f *invokeFlags) run(c *cobra.Command, args []string) error {
	if f.invocations < 1 {
		return &usageError{errors.New("--invocations is at least 1")}
	}
	find := f.ofTemplate
	if f.image != "" {
		find = f.ofImage
	}
	p, function, err := find(c, args)
	if err != nil {
		return err
	}
	event, err := f.readEvent(c)
	if err != nil {
		return &usageError{err}
	}
	keys, region, err := f.keys(c)
	if err != nil {
		return err
	}
	maps.Copy(function.Environment, keys)
	call := &invoke.Call{Function: function, Event: event, Invocations: f.invocations}
	invoker, err := invoke.New(invoke.Options{
		Call:   func(project.Target) *invoke.Call { return call },
		Region: region, Network: f.network, Stdout: c.OutOrStdout(), Stderr: c.ErrOrStderr(), EndLines: printer.IsTerminal(c.OutOrStdout()),
	})
	if err != nil {
		return err
	}
	f.build.Step, f.build.BuildOnly, f.build.Registries = invoker, true, f.registries(c)
	if _, err := build.Build(c.Context(), p, f.build); err != nil {
		if failed := (*build.FailedError)(nil); !p.IsTemplate() && c.Context().Err() == nil && errors.As(err, &failed) {
			err = errors.New(err.Error()) // without the lines of a Dockerfile, which is samforge's own
		}
		return err
	}
	if invoker.Failed() != nil {
		return errFindings // Lambda's error is on standard output
	}
	return nil
}

// ofTemplate returns the function of a template, with what the template sets for it.
func (f *invokeFlags) ofTemplate(c *cobra.Command, args []string) (*project.Project, invoke.Function, error) {
	for _, name := range []string{"timeout", "memory"} {
		if c.Flags().Changed(name) {
			return nil, invoke.Function{}, &usageError{fmt.Errorf("--%s is for --image: the template has the limits of its functions", name)}
		}
	}
	f.input.Targets, f.input.Images = args, true
	if err := f.takeTemplate(); err != nil {
		return nil, invoke.Function{}, err
	}
	p, err := f.load(c, nil)
	if err != nil {
		return nil, invoke.Function{}, err
	}
	if !p.IsTemplate() {
		return nil, invoke.Function{}, &usageError{fmt.Errorf("%s is no SAM template: name one with --template-file, or an image with --image", p.File.Name)}
	}
	of, err := frontend.FunctionNamed(p.Template(), strings.Join(args, ""))
	if err != nil {
		return nil, invoke.Function{}, project.BadInput(err)
	}
	function, err := f.function(c, of)
	if err != nil || of.Origin != samtemplate.FromRegistry {
		return p, function, err
	}
	if u := of.ImageUri.Unresolved; u != nil {
		return nil, function, project.BadInput(of.Diagnostic(u.At, "the image of the function is not known: %s", u.Reason))
	}
	p, err = project.LoadDockerfile(project.Dockerfile{Name: of.Path, Context: ".", Text: "FROM " + of.ImageUri.Reveal() + "\n", Platforms: []string{of.Platform()}})
	return p, function, err
}

// ofImage returns an image as it is, with the limits of the flags.
func (f *invokeFlags) ofImage(c *cobra.Command, args []string) (*project.Project, invoke.Function, error) {
	function := invoke.Default("function")
	switch {
	case len(args) > 0 || c.Flags().Changed("template-file"):
		return nil, function, &usageError{errors.New("--image names the image, so that there is no function of a template: leave one of them out")}
	case f.timeout < 1 || f.memory < 1 || f.timeout > math.MaxInt32 || f.memory > math.MaxInt32:
		return nil, function, &usageError{fmt.Errorf("--timeout and --memory are at least 1, and at most %d", math.MaxInt32)}
	}
	function.Timeout, function.Memory = time.Duration(f.timeout)*time.Second, f.memory
	for _, warning := range function.OutOfRange() {
		fmt.Fprintln(c.ErrOrStderr(), "WARNING: "+warning)
	}
	if f.envVars != "" {
		if err := function.AddVariables(f.envVars); err != nil {
			return nil, function, &usageError{fmt.Errorf("--env-vars: %w", err)}
		}
	}
	opt, err := f.options(c, nil)
	if err != nil {
		return nil, function, err
	}
	d := project.Dockerfile{Name: "function", Context: ".", Text: "FROM " + f.image + "\n", Platforms: opt.Platforms, BuildContexts: opt.BuildContexts}
	if strings.HasPrefix(f.image, project.LayoutScheme) {
		d.Text, d.BuildContexts = "FROM image\n", append(d.BuildContexts, "image="+f.image)
	} else if err := project.CheckReference(f.image); err != nil {
		return nil, function, &usageError{fmt.Errorf("--image: %w", err)}
	}
	p, err := project.LoadDockerfile(d)
	return p, function, err
}

// readEvent returns the event.
func (f *invokeFlags) readEvent(c *cobra.Command) (event []byte, err error) {
	switch path := cmp.Or(f.event, f.sam.Event); path {
	case "":
		return []byte("{}"), nil
	case "-":
		event, err = io.ReadAll(io.LimitReader(c.InOrStdin(), runtimeapi.MaxPayload+1))
	default:
		if event, err = invoke.ReadEvent(path); err != nil {
			err = fmt.Errorf("--event: %w", err)
		}
		return event, err
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("--event: %w", err)
	case len(event) > runtimeapi.MaxPayload:
		return nil, errors.New("--event: the event has more than 6 MB, which Lambda refuses")
	case !json.Valid(event):
		return nil, errors.New("--event -: the event is no JSON")
	}
	return event, nil
}
