package ci

import (
	"fmt"
	"io"
	"strings"

	"github.com/docker/cli/opts"
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
	flags.StringArrayVarP(&s.furtherRefs, "tag", "t", nil, "")
	attributes := s.attributeFlags(flags)
	attests := flags.StringArray("attest", nil, "")
	provenance := flags.String("provenance", "", "")
	sbom := flags.String("sbom", "", "")
	for _, harmless := range []string{"pull", "load", "push"} {
		flags.Bool(harmless, false, "")
	}
	flags.String("progress", "", "")
	flags.String("builder", "", "")
	if err := flags.Parse(words(s.buildxOptions)); err != nil {
		return fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %w", err)
	}
	if rest := flags.Args(); len(rest) > 0 {
		return fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %q is no flag: separate flags with commas, or with semicolons in PLUGIN_BUILDX_OPTIONS_SEMICOLON", rest[0])
	}
	if err := attributes(); err != nil {
		return fmt.Errorf("PLUGIN_BUILDX_OPTIONS: %w", err)
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

// attributeFlags adds the flags that are attributes of the Dockerfile frontend. The result reads them.
func (s *Step) attributeFlags(flags *pflag.FlagSet) (read func() error) {
	filter := flags.StringSlice("no-cache-filter", nil, "")
	limits, size := opts.NewUlimitOpt(nil), opts.MemBytes(0)
	flags.Var(limits, "ulimit", "")
	flags.Var(&size, "shm-size", "")
	parent := flags.String("cgroup-parent", "", "")
	allowed := flags.StringSlice("allow", nil, "")
	return func() error {
		var list []string
		for _, limit := range limits.GetList() {
			list = append(list, limit.String())
		}
		s.attrs = map[string]string{}
		for name, value := range map[string]string{"no-cache": strings.Join(*filter, ","), "ulimit": strings.Join(list, ","), "cgroup-parent": *parent} {
			if value != "" {
				s.attrs[name] = value
			}
		}
		if size.Value() > 0 {
			s.attrs["shm-size"] = fmt.Sprint(size.Value())
		}
		for _, entitlement := range *allowed {
			if entitlement != "network.host" { // which --network=host asks for
				return fmt.Errorf("--allow %s: only network.host is granted here", entitlement)
			}
		}
		return nil
	}
}
