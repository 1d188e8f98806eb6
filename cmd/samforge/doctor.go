package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/ci"
	"github.com/samforge/samforge/internal/doctor"
	"github.com/samforge/samforge/internal/printer"
	"github.com/samforge/samforge/internal/registry"
)

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	buildFlags
	format, mountFrom string
	addresses         []string // of --builder
	targets           []string // of --registry
	try, profile      bool
}

func doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Say what of this machine, pod and registry stands in the way of a build, and what mends it",
		Long: `Check the machine or the container that samforge runs in: which builder a build would use, user
namespaces, user ids, the disk, proxies, certificate authorities, and with --registry the login to
a registry. Each problem comes with the lines that mend it, for docker run, Kubernetes, GitLab
Runner and a host.

Where PLUGIN_REPO is set, as for a Build and Push step, that repository is checked with the
credentials and the builder of the step's settings.

Nothing is built and no buildkitd is started, unless --try is given. With it, an image with one
step is built, without a registry.

Exit codes: 0 nothing stands in the way, 1 something does, 2 the input is wrong.`,
		Example: `  samforge doctor
  samforge doctor --try
  samforge doctor --registry registry.example.com/team/app:1 --format json
  samforge doctor --registry registry.example.com/team/app --mount-from registry.example.com/base/node:22
  samforge doctor --seccomp-profile > seccomp.json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.targets, "registry", nil, "check the login to this `registry`: a host, or an image to check also that it can be pushed")
	flags.StringVar(&f.mountFrom, "mount-from", "", "check that the registry mounts the layers of this `image` in the repository of the image of --registry, as a build on top of it wants. Nothing is written")
	flags.BoolVar(&f.try, "try", false, "build an image with one step, and start the private buildkitd for it")
	flags.BoolVar(&f.profile, "seccomp-profile", false, "print a seccomp profile for the container that samforge runs in, and check nothing")
	flags.StringVar(&f.format, "format", "text", "`format` of the findings: text or json")
	flags.StringArrayVar(&f.addresses, "builder", nil, "`address` of a buildkitd (default $BUILDKIT_HOST, else one that samforge finds or starts); may be repeated")
	f.registerTLS(c)
	completeFlag(c, "format", "text", "json")
	return c
}

func (f *doctorFlags) run(c *cobra.Command) error {
	if f.profile {
		_, err := c.OutOrStdout().Write(doctor.SeccompProfile)
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	var err error
	if f.build.Silence, err = silence(); err != nil {
		return &usageError{err}
	}
	found := f.readDefaults(c)
	opt := doctor.Options{Builders: f.addresses, Builder: f.build.Builder, Registries: f.targets, MountFrom: f.mountFrom, Client: f.registries(c)}
	forget, settings := stepOptions(c, f.build.Silence, &opt)
	defer forget()
	found = append(found, settings...)
	found = append(found, doctor.Check(c.Context(), doctor.This(), opt)...)
	if f.try && c.Context().Err() == nil {
		found = append(found, doctor.Try(c.Context(), opt)...)
	}
	if err := c.Context().Err(); err != nil {
		return err
	}
	return printDoctor(c, f.format, found)
}

// readDefaults takes the builder that a build takes from the files with defaults, and returns a finding
// for a mistake in them. A Build and Push step reads none of them.
func (f *doctorFlags) readDefaults(c *cobra.Command) []doctor.Finding {
	if ci.InEnvironment() {
		return nil
	}
	err := f.applyDefaults(c, ".")
	if err == nil {
		err = builder.CheckAddresses(f.addresses)
	}
	if err != nil {
		return []doctor.Finding{doctor.Defaults(err)}
	}
	return nil
}

// stepOptions adds what the settings of a Build and Push step say, if there are any. It returns a
// finding if they are wrong, and what to call at the end.
func stepOptions(c *cobra.Command, silence builder.SilenceOptions, opt *doctor.Options) (forget func(), found []doctor.Finding) {
	forget = func() {}
	if !ci.InEnvironment() {
		return forget, nil
	}
	step, _, err := ci.Read(os.Environ())
	var target *ci.Target
	if err == nil {
		printer.FromContext(c.Context()).Add(step.SecretValues()...)
		step.Forget()
		target, err = step.Target(c.Context(), ci.Options{Silence: silence, Stdout: c.OutOrStdout(), Stderr: c.ErrOrStderr()})
	}
	if err != nil {
		return forget, []doctor.Finding{doctor.Settings(err)}
	}
	if target.Image != "" {
		opt.Registries, opt.Client = append(opt.Registries, target.Image), target.Client
	}
	if len(opt.Builders) == 0 && target.Builder != "" {
		opt.Builders = []string{target.Builder}
	}
	return func() { _ = target.Close() }, []doctor.Finding{doctor.Settings(nil)}
}

// check refuses mistakes in the flags.
func (f *doctorFlags) check() error {
	if f.format != "text" && f.format != "json" {
		return &usageError{fmt.Errorf("--format %q: use text or json", f.format)}
	}
	images := ci.InEnvironment() // PLUGIN_REPO is one
	for _, target := range f.targets {
		if registry.CheckTarget(target) != nil {
			return &usageError{fmt.Errorf("--registry %q: expected a host or an image, such as registry.example.com or registry.example.com/team/app", target)}
		}
		images = images || strings.Contains(target, "/")
	}
	switch {
	case f.mountFrom == "":
	case registry.CheckTarget(f.mountFrom) != nil || !strings.Contains(f.mountFrom, "/"):
		return &usageError{fmt.Errorf("--mount-from %q: expected an image, such as registry.example.com/base/node:22", f.mountFrom)}
	case !images:
		return &usageError{errors.New("--mount-from needs --registry with an image, whose repository the layers are mounted in")}
	}
	return builder.CheckAddresses(f.addresses)
}

// printDoctor prints the findings, and returns an error if one is a problem.
func printDoctor(c *cobra.Command, format string, found []doctor.Finding) error {
	var err error
	if format == "json" {
		err = printJSON(c.OutOrStdout(), found)
	} else {
		err = doctor.Write(c.OutOrStdout(), found)
	}
	if err == nil && doctor.InTheWay(found) {
		err = errFindings
	}
	return err
}
