// Command samforge builds the images that CI/CD steps deploy AWS serverless
// applications with, on any BuildKit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/log"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/ci"
	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/source"
)

// Exit codes: 0 done, 1 the build or the push failed or a check found something,
// 2 the input is wrong.
const (
	exitFailed = 1
	exitInput  = 2
	exitGaveUp = 130 // as in a shell for a program that Ctrl-C ended
)

// patience limits how long a command may take to end in order after it was cancelled. A private
// buildkitd ends by itself when samforge has ended.
const patience = 25 * time.Second

func main() {
	instance.Main()
	builder.Keeper()
	// Libraries log the same text as their errors: those of containerd, BuildKit and Docker, and
	// Go's own HTTP/2.
	_ = log.SetLevel("panic")
	stdlog.SetOutput(io.Discard)
	// The first Ctrl-C cancels the build and waits for it; the second kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	giveUp(ctx, patience, os.Stderr, os.Exit)
	os.Exit(run(ctx, os.Args[1:]))
}

// giveUp calls exit if the command has not ended within the grace period after ctx was cancelled.
func giveUp(ctx context.Context, grace time.Duration, stderr io.Writer, exit func(code int)) {
	context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() {
			fmt.Fprintln(stderr, "samforge: cancelled, but something does not end: giving up on it")
			exit(exitGaveUp)
		})
	})
}

func run(ctx context.Context, args []string) int {
	secrets := &printer.Secrets{Workflow: printer.WorkflowIn(os.Getenv)}
	secrets.AddArguments(args)
	stderr := printer.Stderr(secrets)
	root := newRoot()
	if len(args) == 0 && ci.InEnvironment() {
		args = []string{"plugin"} // the container image as a step of a pipeline
	}
	root.SetArgs(args)
	root.SetOut(printer.Stdout(secrets))
	root.SetErr(stderr)
	refuseOtherTopics(root)
	err := root.ExecuteContext(printer.NewContext(ctx, secrets))
	if err == nil {
		return 0
	}
	if errors.Is(context.Cause(ctx), context.Canceled) && ctx.Err() != nil {
		err = errors.Join(errors.New("cancelled"), dropCancelled(err))
	}
	if errors.Is(err, errFindings) {
		return exitFailed
	}
	printError(stderr, err)
	return exitCode(err)
}

func printError(stderr io.Writer, err error) {
	var mistakes source.Diagnostics
	var one *source.Diagnostic
	if !errors.As(err, &mistakes) && errors.As(err, &one) {
		mistakes = source.Diagnostics{one}
	}
	if slices.ContainsFunc(mistakes, func(m *source.Diagnostic) bool { return m.UnknownKey }) {
		own, _ := versions()
		defer fmt.Fprintf(stderr, "(this is samforge %s: if the file is made for a newer one, use that)\n", own)
	}
	if printer.Annotates(stderr) && len(mistakes) > 0 && err.Error() == mistakes.Error() {
		for _, mistake := range mistakes {
			printer.Error(stderr, printer.Place{File: mistake.Filename, Line: mistake.Line, Column: mistake.Column}, strings.TrimSpace(mistake.Error()))
		}
		return
	}
	sources := errdefs.Sources(err)
	printer.Error(stderr, placeOf(mistakes, sources), strings.TrimSpace(err.Error()))
	if len(sources) > 0 {
		_ = sources[0].Print(stderr) // the innermost is the most precise
	}
}

// placeOf returns the place of the first mistake, or that in the file that a builder named.
func placeOf(mistakes source.Diagnostics, sources []*errdefs.Source) (at printer.Place) {
	switch {
	case len(mistakes) > 0:
		at = printer.Place{File: mistakes[0].Filename, Line: mistakes[0].Line, Column: mistakes[0].Column}
	case len(sources) > 0 && sources[0].GetInfo() != nil && len(sources[0].GetRanges()) > 0:
		at = printer.Place{File: sources[0].GetInfo().GetFilename(), Line: int(sources[0].GetRanges()[0].GetStart().GetLine())}
	}
	return at
}

func exitCode(err error) int {
	var input *project.InputError
	var usage *usageError
	var address *builder.AddressError
	if errors.As(err, &input) || errors.As(err, &usage) || errors.As(err, &address) {
		return exitInput
	}
	return exitFailed
}

// dropCancelled returns nil for an error that only repeats what Ctrl-C did.
func dropCancelled(err error) error {
	var failed *build.FailedError
	if errors.As(err, &failed) {
		return failed.Remaining()
	}
	return nil
}

// usageError is a mistake in the flags.
type usageError struct{ error }

// Unwrap returns the mistake itself.
func (e *usageError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "samforge",
		Short:         "Build the images of AWS serverless applications, and those that CI steps deploy them with",
		SilenceErrors: true,
		SilenceUsage:  true,

		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if asked, _ := c.Flags().GetBool("version"); asked {
				return printVersion(c.OutOrStdout())
			}
			return c.Help()
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.Flags().Bool("version", false, "print the version of samforge and of the BuildKit it was built with")
	root.AddCommand(
		initCommand(),
		buildCommand(),
		invokeCommand(),
		startAPICommand(),
		packageCommand(),
		bakeCommand(),
		checkCommand(),
		doctorCommand(),
		lockCommand(),
		loginCommand(),
		outdatedCommand(),
		pluginCommand(),
		planCommand(),
		pruneCommand(),
		graphCommand(),
		runtimesCommand(),
		schemaCommand(),
		versionCommand(),
	)
	root.AddCommand(extraCommands()...)
	return root
}

// noArgs refuses arguments, because the command has only flags.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("%s takes no arguments, found %q (see %s --help)", c.CommandPath(), args[0], c.CommandPath())}
	}
	return nil
}
