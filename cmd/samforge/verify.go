package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/project"
)

// verifyEvent is the value of --verify that invokes functions.
const verifyEvent = "event"

// registerProof adds --verify=event to the flag of a command that builds.
func (f *buildFlags) registerProof(c *cobra.Command) {
	f.mayProve = true
	flag := c.Flags().Lookup("verify")
	flag.Usage += "; for a SAM template event: each function must answer events/FUNCTION.json before its image goes anywhere"
}

// prove makes each function of a template answer its event before its image is exported, with
// --verify=event.
func (f *buildFlags) prove(c *cobra.Command, p *project.Project) error {
	if f.verify != verifyEvent {
		return nil
	}
	if !p.IsTemplate() {
		return &usageError{fmt.Errorf("--verify=event is for the functions of a SAM template, and %s is none: leave it out", p.File.Name)}
	}
	proofs, without, err := invoke.Proofs(p.Template())
	if err != nil {
		return project.BadInput(err)
	}
	if len(proofs) == 0 {
		return &usageError{fmt.Errorf("--verify=event: no function has an event: write events/%s.json beside the template", without[0])}
	}
	if len(without) > 0 && !f.quiet {
		fmt.Fprintf(c.ErrOrStderr(), "WARNING: not invoked, because there is no event in events/FUNCTION.json: %s\n", strings.Join(without, ", "))
	}
	invoker, err := invoke.New(invoke.Options{
		Call: func(t project.Target) *invoke.Call { return proofs[t.Name] }, Region: f.region(), Stdout: c.ErrOrStderr(), Stderr: c.ErrOrStderr(),
	})
	f.build.Step = invoker
	return err
}

// region returns that of the functions.
func (f *buildFlags) region() string {
	if f.input.Region != "" {
		return f.input.Region
	}
	return "us-east-1"
}
