package main

// Values of flags that are refused before they become something else: the error then names the flag,
// or the line of a file with defaults.

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// flagProblem says what is wrong with a value of a flag, or "".
func flagProblem(flag, value string) string {
	key, rest, pair := strings.Cut(value, "=")
	switch flag {
	case "label":
		if !pair || key == "" {
			return fmt.Sprintf("%q: expected KEY=VALUE", value)
		}
	case "mirror":
		if !pair || key == "" {
			return fmt.Sprintf("%q: expected FROM=TO", value)
		}
		return llbgen.MirrorProblem(key, rest)
	case "platform":
		if _, err := project.ParsePlatforms([]string{value}); err != nil {
			return strings.TrimPrefix(err.Error(), "--platform ")
		}
	case "provenance", "sbom":
		example := map[string]string{"provenance": "mode=max", "sbom": "generator=IMAGE"}[flag]
		if value != "" && value != "true" && value != "false" && !pair {
			return fmt.Sprintf("%q: use true, false, or attributes such as %s", value, example)
		}
	}
	return ""
}

// checkValues returns an error for the first value that is wrong.
func (f *buildFlags) checkValues() error {
	for _, given := range []struct {
		flag   string
		values []string
	}{{"provenance", []string{f.provenance}}, {"sbom", []string{f.sbom}}, {"mirror", f.mirrors}, {"label", f.labels}} {
		for _, value := range given.values {
			if problem := flagProblem(given.flag, value); problem != "" {
				return fmt.Errorf("--%s: %s", given.flag, problem)
			}
		}
	}
	return nil
}

// tlsFlag returns the first flag for certificates that the command line has, or "". Only the first
// call looks, since defaults set flags too.
func (f *buildFlags) tlsFlag(c *cobra.Command) string {
	if f.certificates == nil {
		given := givenTLS(c)
		f.certificates = &given
	}
	return *f.certificates
}

func givenTLS(c *cobra.Command) string {
	for _, name := range []string{"tlsdir", "tlscacert", "tlscert", "tlskey", "tlsservername"} {
		if flag := c.Flags().Lookup(name); flag != nil && flag.Changed {
			return name
		}
	}
	return ""
}

// checkTLS refuses a flag for certificates if every builder that was named is one that has no use for
// it.
func (f *buildFlags) checkTLS(flag string) error {
	builders := f.build.Builders
	if len(builders) == 0 && os.Getenv("BUILDKIT_HOST") != "" {
		builders = []string{os.Getenv("BUILDKIT_HOST")}
	}
	if flag == "" || len(builders) == 0 {
		return nil
	}
	for _, address := range builders {
		scheme, _, _ := strings.Cut(address, "://")
		if !slices.Contains([]string{"unix", "docker", "private", "docker-container", "podman-container", "kube-pod", "npipe"}, scheme) {
			return nil
		}
	}
	return &usageError{fmt.Errorf("--%s is for a tcp builder, and %s is none: leave it out", flag, credentials.Mask(builders[0]))}
}

func pairs(flag string, values []string) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for _, v := range values {
		key, value, ok := strings.Cut(v, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%s %q: expected two parts with = between them", flag, v)
		}
		out[key] = value
	}
	return out, nil
}

// attest turns --sbom and --provenance into --attest, as buildx does.
func attest(kind, value string) []string {
	switch value {
	case "", "false":
		return nil
	case "true":
		return []string{"type=" + kind}
	default:
		return []string{"type=" + kind + "," + value}
	}
}
