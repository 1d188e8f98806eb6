package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/doctor"
	"github.com/samforge/samforge/internal/registry"
)

func doctorCommand() *cobra.Command {
	var f buildFlags
	var address, format string
	var registries []string
	var try, profile bool
	c := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Say what of this machine, pod and registry stands in the way of a build, and what mends it",
		Long: `Check the machine or the container that samforge runs in: which builder a build would use, user
namespaces, user ids, the disk, proxies, certificate authorities, and with --registry the login to
a registry. Each problem comes with the lines that mend it, for docker run, Kubernetes, GitLab
Runner and a host.

Nothing is built and no buildkitd is started, unless --try is given. With it, an image with one
step is built, without a registry.

Exit codes: 0 nothing stands in the way, 1 something does, 2 the input is wrong.`,
		Example: `  samforge doctor
  samforge doctor --try
  samforge doctor --registry registry.example.com/team/app:1 --format json
  samforge doctor --seccomp-profile > seccomp.json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if profile {
				_, err := c.OutOrStdout().Write(doctor.SeccompProfile)
				return err
			}
			if err := checkDoctor(format, address, registries); err != nil {
				return err
			}
			var err error
			if f.build.Silence, err = silence(); err != nil {
				return &usageError{err}
			}
			opt := f.build.Builder
			opt.Address = address
			found := doctor.Check(c.Context(), doctor.This(), doctor.Options{Builder: opt, Registries: registries, Client: f.registries(c)})
			if try && c.Context().Err() == nil {
				found = append(found, doctor.Try(c.Context(), opt))
			}
			if err := c.Context().Err(); err != nil {
				return err
			}
			return printDoctor(c, format, found)
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&registries, "registry", nil, "check the login to this `registry`: a host, or an image to check also that it can be pushed")
	flags.BoolVar(&try, "try", false, "build an image with one step, and start the private buildkitd for it")
	flags.BoolVar(&profile, "seccomp-profile", false, "print a seccomp profile for the container that samforge runs in, and check nothing")
	flags.StringVar(&format, "format", "text", "`format` of the findings: text or json")
	flags.StringVar(&address, "builder", "", "`address` of a buildkitd (default $BUILDKIT_HOST, else one that samforge finds or starts)")
	f.registerTLS(c)
	completeFlag(c, "format", "text", "json")
	return c
}

// checkDoctor refuses mistakes in the flags of doctor.
func checkDoctor(format, address string, registries []string) error {
	if format != "text" && format != "json" {
		return &usageError{fmt.Errorf("--format %q: use text or json", format)}
	}
	for _, target := range registries {
		if registry.CheckTarget(target) != nil {
			return &usageError{fmt.Errorf("--registry %q: expected a host or an image, such as registry.example.com or registry.example.com/team/app", target)}
		}
	}
	return builder.CheckAddresses([]string{address})
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
