package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/internal/watch"
)

// watchFlags are the flags of samforge build --watch.
type watchFlags struct {
	*buildFlags
	on    bool
	event string

	project *project.Project
	changed []string // functions that have changed since they were last invoked
}

func (f *watchFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.on, "watch", false, "build the functions of a SAM template again after each change of what they are made from, until Ctrl-C")
	flags.StringVar(&f.event, "invoke", "", "with --watch: invoke each function that has changed with the event in this `file`, as samforge invoke does")
	_ = c.MarkFlagFilename("invoke", "json")
}

// run builds until Ctrl-C, which is its only end and no failure, as for samforge start-api.
func (f *watchFlags) run(c *cobra.Command, args []string) error {
	if !f.on {
		return &usageError{errors.New("--invoke is for --watch: add it, or invoke a function once with samforge invoke")}
	}
	p, err := f.load(c, args)
	if err != nil {
		return err
	}
	if !p.IsTemplate() || p.Context.Address != "" {
		return &usageError{fmt.Errorf("--watch is for the functions of a SAM template on this machine, and %s is none: leave it out", p.File.Name)}
	}
	pool, err := builder.FindPool(c.Context(), f.build.Builders, f.build.Builder)
	if err != nil {
		return err
	}
	defer pool.Close()
	if started := pool.Builders()[0]; started.Kind == builder.Private { // which no build has to start again
		f.build.Builders = []string{started.Address}
	}
	loop := watch.Loop{
		Find:   func() ([]watch.Source, error) { return f.sources(c, args) },
		Do:     func(changed []string) { f.report(c, f.again(c, args, changed)) },
		Report: func(err error) { f.report(c, err) },
		Except: f.writes,
	}
	return loop.Run(c.Context())
}

// writes reports whether a build writes a file, which is no change then.
func (f *watchFlags) writes(name string) bool {
	if info, err := os.Stat(name); err == nil {
		for _, stream := range []*os.File{os.Stdout, os.Stderr} {
			if own, err := stream.Stat(); err == nil && os.SameFile(info, own) {
				return true
			}
		}
	}
	for _, path := range append(build.Written(f.build.Outputs), f.build.MetadataFile, f.build.IIDFile, f.output.Output) {
		folder, err := userfile.RealPath(filepath.Dir(path))
		if path == "" || err != nil {
			continue
		}
		base := filepath.Base(path)
		below := []string{base + "/", ".tmp-" + base} // which atomicwriter renames
		if path == f.output.Output {                  // with nested templates, such as packaged-Child.yaml
			stem := strings.TrimSuffix(base, filepath.Ext(base)) + "-"
			below = append(below, stem, ".tmp-"+stem)
		}
		written := func(prefix string) bool { return strings.HasPrefix(name, folder+"/"+prefix) }
		if name == filepath.Join(folder, base) || slices.ContainsFunc(below, written) {
			return true
		}
	}
	return false
}

// sources reads the template, and returns what is watched.
func (f *watchFlags) sources(c *cobra.Command, args []string) ([]watch.Source, error) {
	p, err := f.load(c, args)
	if err != nil {
		return nil, err
	}
	f.project = p
	sources, err := p.Watched()
	if err != nil || f.event == "" {
		return sources, err
	}
	event, err := filepath.Abs(f.event)
	return append(sources, watch.Source{Path: event}), err
}

// again builds, and invokes the functions that have changed since they were last invoked.
func (f *watchFlags) again(c *cobra.Command, args, changed []string) error {
	if slices.Contains(changed, "") {
		changed = f.project.Functions()
	}
	f.changed = append(f.changed, changed...)
	if f.event != "" {
		f.build.Stdout = c.ErrOrStderr() // standard output has the responses
	}
	built, err := f.buildFlags.run(c, f.project)
	for _, name := range f.project.Functions() {
		if f.event == "" || !slices.Contains(f.changed, name) || !slices.ContainsFunc(built, func(b build.Built) bool { return b.Target.Name == name }) {
			continue
		}
		if mistake := f.invoke(c, args, name); mistake != nil {
			err = errors.Join(err, mistake)
			continue
		}
		f.changed = slices.DeleteFunc(f.changed, func(other string) bool { return other == name })
	}
	return err
}

// report prints an error, if there is one, and that the watch goes on.
func (f *watchFlags) report(c *cobra.Command, err error) {
	if c.Context().Err() != nil {
		return
	}
	if err != nil {
		printError(c.ErrOrStderr(), err)
	}
	if !f.quiet {
		fmt.Fprintln(c.ErrOrStderr(), "samforge: waiting for a change")
	}
}

// invoke invokes a function that was built. Its response is a line of standard output.
func (f *watchFlags) invoke(c *cobra.Command, args []string, name string) error {
	one := runFlags{buildFlags: *f.buildFlags}
	one.input.Targets = []string{name}
	p, err := one.load(c, args)
	if err != nil {
		return err
	}
	of, err := frontend.FunctionNamed(p.Template(), name)
	if err != nil {
		return err
	}
	call := &invoke.Call{}
	if call.Function, err = one.function(c, of); err != nil {
		return err
	}
	if call.Event, err = invoke.ReadEvent(f.event); err != nil {
		return fmt.Errorf("--invoke: %w", err)
	}
	var response bytes.Buffer
	invoker, err := invoke.New(invoke.Options{
		Call:   func(project.Target) *invoke.Call { return call },
		Region: one.region(), Stdout: &response, Stderr: c.ErrOrStderr(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "samforge: invoke %s\n", name)
	_, err = build.Build(c.Context(), p, build.Options{
		Settings: one.build.Settings, Step: invoker, BuildOnly: true, Network: one.build.Network, AddHosts: one.build.AddHosts, Progress: "quiet",
		Builders: one.build.Builders, Builder: one.build.Builder, Registries: one.registries(c), Silence: one.build.Silence, Stdout: c.ErrOrStderr(), Stderr: c.ErrOrStderr(),
	})
	if response.Len() > 0 {
		fmt.Fprintf(c.OutOrStdout(), "%s\n", bytes.TrimSuffix(response.Bytes(), []byte("\n")))
	}
	return err
}
