package main

// Unknown flags: what takes the place of the flags of docker buildx, and which command has a flag.

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/samforge/samforge/internal/suggest"
)

// dockerFlags are the flags of docker buildx build and docker buildx bake that samforge does not
// have, and what takes their place.
func dockerFlags() map[string]string {
	const (
		check  = "samforge check examines a build file without building"
		plan   = "samforge plan shows what would be built, samforge bake prints it as a bake file"
		limits = "samforge does not limit build steps: set limits where buildkitd runs"
		bake   = "samforge bake only prints a bake file: give the flag to docker buildx bake"
		list   = "samforge plan lists the targets"
		none   = "BuildKit has no use for it: leave it out"
	)
	return map[string]string{
		"call": check, "check": check, "dry-run": plan, "print": plan,

		"allow":  "--network=host asks the builder for network.host by itself; samforge asks for no other entitlement",
		"debug":  "--progress=plain shows the whole output of each step",
		"policy": "samforge lock pins what is built from, and --locked refuses anything else",
		"pull":   "samforge asks the registry for each image that no lock file pins: leave it out",

		"cgroup-parent": limits, "cpu-period": limits, "cpu-quota": limits, "cpu-shares": limits, "cpuset-cpus": limits, "cpuset-mems": limits,
		"memory": limits, "memory-swap": limits, "resource": limits, "shm-size": limits, "ulimit": limits,

		"compress": "a builder is sent only files that have changed: leave it out",
		"force-rm": none, "rm": none, "isolation": none, "security-opt": none,
		"squash": "BuildKit does not squash layers: use a multi-stage Dockerfile",

		"jobs": "all targets are built at once: limit them with max-parallelism in buildkitd.toml",
		"list": list, "list-targets": list, "list-variables": "samforge build --help lists the build arguments",
		"set": bake, "var": bake,
	}
}

// dockerShorthands are the one-letter forms of those flags.
func dockerShorthands() map[string]string {
	return map[string]string{"D": "debug", "c": "cpu-shares", "j": "jobs", "m": "memory"}
}

// samOnlyFlags are the flags of SAM CLI that no command of samforge has, and what takes their place.
// Commands that know more of them say so themselves; see registerSAM.
func samOnlyFlags() map[string]string {
	return map[string]string{
		"build-in-source": "an image is built in a builder, from its Dockerfile: leave it out",
		"beta-features":   "samforge has none: leave it out",
		"guided":          "samforge asks no questions: samforge init writes a build file, and sam deploy --guided deploys",
		"use-container":   "images are always built in containers: leave it out",
		"verbose":         "--progress=plain shows the whole output of each step",
		"version":         "the version is samforge version",
	}
}

// samShorthands are the one-letter forms of those flags.
func samShorthands() map[string]string {
	return map[string]string{"u": "use-container", "v": "verbose", "g": "guided"}
}

// flagError turns an error of the flag parser into one that says what to do instead.
func flagError(c *cobra.Command, err error) error {
	text := ""
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		text = insteadOf(c, unknown.GetSpecifiedName())
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		err = fmt.Errorf("--%s is true or false, found %q", invalid.GetFlag().Name, invalid.GetValue())
	}
	return &usageError{fmt.Errorf("%w%s (see %s --help)", err, text, c.CommandPath())}
}

// insteadOf is the end of a sentence about a flag that a command does not have.
func insteadOf(c *cobra.Command, flag string) string {
	for _, other := range []struct{ shorthands, flags map[string]string }{{dockerShorthands(), dockerFlags()}, {samShorthands(), samOnlyFlags()}} {
		if instead, ok := other.flags[cmp.Or(other.shorthands[flag], flag)]; ok {
			return ": " + instead
		}
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := suggest.Nearest(flag, names); near != "" {
		return ": did you mean --" + near + "?"
	}
	var having []string
	for _, other := range c.Root().Commands() {
		if found := other.Flags().Lookup(flag); found != nil && !found.Hidden {
			having = append(having, other.CommandPath())
		}
	}
	if len(having) > 0 {
		return ": it is a flag of " + strings.Join(having, ", ")
	}
	return ""
}
