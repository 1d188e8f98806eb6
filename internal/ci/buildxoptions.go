package ci

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// applyBuildxOptions takes over the flags of docker buildx build in PLUGIN_BUILDX_OPTIONS.
func (s *Step) applyBuildxOptions() error {
	if len(s.buildxOptions) == 0 {
		return nil
	}
	flags := pflag.NewFlagSet("buildx", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringArrayVar(&s.buildxArgs, "build-arg", nil, "")
	flags.StringArrayVar(&s.buildContexts, "build-context", nil, "")
	flags.StringArrayVar(&s.furtherLabels, "label", nil, "")
	flags.StringArrayVar(&s.annotations, "annotation", nil, "")
	flags.StringArrayVar(&s.furtherSecrets, "secret", nil, "")
	flags.StringArrayVar(&s.ssh, "ssh", nil, "")
	flags.StringArrayVarP(&s.furtherOutputs, "output", "o", nil, "")
	from := flags.StringArray("cache-from", nil, "")
	to := flags.StringArray("cache-to", nil, "")
	hosts := flags.StringArray("add-host", nil, "")
	platforms := flags.StringSlice("platform", nil, "")
	flags.BoolVar(&s.noCache, "no-cache", s.noCache, "")
	flags.BoolVarP(&s.quiet, "quiet", "q", s.quiet, "")
	flags.StringVar(&s.target, "target", s.target, "")
	flags.StringVar(&s.network, "network", "", "")
	flags.StringVarP(&s.dockerfile, "file", "f", s.dockerfile, "")
	flags.StringVar(&s.metadataFile, "metadata-file", s.metadataFile, "")
	attests := flags.StringArray("attest", nil, "")
	provenance := flags.String("provenance", "", "")
	sbom := flags.String("sbom", "", "")
	for _, harmless := range []string{"pull", "load", "push"} {
		flags.Bool(harmless, false, "")
	}
	flags.String("progress", "", "")
	flags.String("builder", "", "")
	if err := flags.Parse(s.buildxOptions); err != nil {
		return fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %w", err)
	}
	if rest := flags.Args(); len(rest) > 0 {
		return fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %q is no flag: separate flags with commas, or with semicolons in PLUGIN_BUILDX_OPTIONS_SEMICOLON", rest[0])
	}
	s.labels = append(s.labels, s.furtherLabels...)
	s.cacheFrom, s.cacheTo, s.addHosts = append(s.cacheFrom, *from...), append(s.cacheTo, *to...), append(s.addHosts, *hosts...)
	if len(*platforms) > 0 {
		s.platforms = *platforms
	}
	s.attests = append(s.attests, *attests...)
	for kind, value := range map[string]string{"provenance": *provenance, "sbom": *sbom} {
		switch value {
		case "", "false":
		case "true":
			s.attests = append(s.attests, "type="+kind)
		default:
			s.attests = append(s.attests, "type="+kind+","+value)
		}
	}
	return nil
}
