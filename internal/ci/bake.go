package ci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/llbgen"
)

// ofOneImage are the settings that a bake file says for each target.
func ofOneImage() []string {
	return []string{
		"PLUGIN_REPO", "PLUGIN_TAGS", "PLUGIN_TAG", "PLUGIN_AUTO_TAG", "PLUGIN_EXPAND_TAG", "PLUGIN_CUSTOM_LABELS", "PLUGIN_LABELS", "PLUGIN_LABEL_SCHEMA",
		"PLUGIN_DOCKERFILE", "PLUGIN_CONTEXT", "PLUGIN_CONTEXT_SUB_PATH", "PLUGIN_TARGET", "PLUGIN_BUILD_ARGS", "PLUGIN_BUILD_ARGS_NEW", "PLUGIN_BUILD_ARGS_FROM_ENV",
		"PLUGIN_PLATFORM", "PLUGIN_CUSTOM_PLATFORM", "PLUGIN_PLATFORMS", "PLUGIN_BUILDX_OPTIONS", "PLUGIN_BUILDX_OPTIONS_SEMICOLON",
		"PLUGIN_TAR_PATH", "PLUGIN_DESTINATION_TAR_PATH", "PLUGIN_OCI_LAYOUT_PATH", "PLUGIN_CACHE_FROM", "PLUGIN_CACHE_TO", "PLUGIN_ENABLE_CACHE", "PLUGIN_CACHE_REPO",
	}
}

// baked returns the images of PLUGIN_BAKE_FILE.
func (s *Step) baked(ctx context.Context, o Options) ([]project.Dockerfile, error) {
	definition := bakefile.Definition{Files: s.bakeFiles, Push: s.pushes(), Note: func(sentence string) { o.say("%s", sentence) }}
	if err := s.applyBakeOptions(&definition); err != nil {
		return nil, err
	}
	for _, name := range ofOneImage() {
		if s.environment[name] != "" {
			fmt.Fprintf(o.Stderr, "WARNING: %s does nothing with PLUGIN_BAKE_FILE: say it in the bake file, or with --set in PLUGIN_BAKE_OPTIONS\n", name)
		}
	}
	images, err := o.ReadBake(ctx, definition)
	if err != nil {
		return nil, fmt.Errorf("PLUGIN_BAKE_FILE: %w", err)
	}
	for n, image := range images {
		if err := s.checkProxies(image.Own.Attests); err != nil {
			return nil, err
		}
		images[n].Own.CacheTo = s.written(image.Own.CacheTo)
		s.addProxies(image.Args)
		if image.Args[llbgen.EpochArg] == "" {
			if epoch := s.environment[llbgen.EpochArg]; epoch != "" {
				image.Args[llbgen.EpochArg] = epoch
			} else if at, ok := s.commitTime(ctx); ok {
				image.Args[llbgen.EpochArg] = fmt.Sprint(at.Unix())
			}
		}
		switch asked := slices.Contains(image.Own.SSH, "default"); {
		case asked && s.sshKey != "":
			images[n].Own.SSH = slices.DeleteFunc(image.Own.SSH, func(agent string) bool { return agent == "default" })
		case asked && s.environment["SSH_AUTH_SOCK"] == "":
			return nil, fmt.Errorf("PLUGIN_BAKE_FILE: target %s asks for an SSH agent: set PLUGIN_SSH_AGENT_KEY to the text of a private key", image.Name)
		}
	}
	return images, nil
}

// applyBakeOptions takes over the flags of docker buildx bake in PLUGIN_BAKE_OPTIONS, and the targets
// among them.
func (s *Step) applyBakeOptions(d *bakefile.Definition) error {
	flags := pflag.NewFlagSet("bake", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	files := flags.StringArrayP("file", "f", nil, "")
	flags.StringArrayVar(&d.Set, "set", nil, "")
	flags.StringArrayVar(&d.Variables, "var", nil, "")
	flags.StringArrayVar(&d.Allow, "allow", nil, "")
	flags.StringVar(&s.metadataFile, "metadata-file", s.metadataFile, "")
	noCache := flags.Bool("no-cache", s.noCache, "")
	provenance, sbom := flags.String("provenance", "", ""), flags.String("sbom", "", "")
	for _, harmless := range []string{"pull", "push", "load"} {
		flags.Bool(harmless, false, "")
	}
	for _, harmless := range []string{"progress", "builder"} {
		flags.String(harmless, "", "")
	}
	if err := flags.Parse(words(s.bakeOptions)); err != nil {
		return fmt.Errorf("PLUGIN_BAKE_OPTIONS: %w", err)
	}
	d.Files, d.Targets = append(d.Files, *files...), flags.Args()
	if slices.ContainsFunc(d.Targets, func(name string) bool { return strings.Contains(name, "://") }) {
		return errors.New("PLUGIN_BAKE_OPTIONS: a bake file of an address is not read: check it out, and name the file with PLUGIN_BAKE_FILE")
	}
	if *noCache {
		d.Set = append(d.Set, "*.no-cache=true")
	}
	for kind, value := range map[string]string{"provenance": *provenance, "sbom": *sbom} {
		switch value {
		case "":
		case "true", "false":
			d.Set = append(d.Set, fmt.Sprintf("*.attest=type=%s,disabled=%t", kind, value == "false"))
		default:
			d.Set = append(d.Set, fmt.Sprintf("*.attest=type=%s,%s", kind, value))
		}
	}
	return nil
}

// words splits a flag and its value, as in "--set *.platform=linux/amd64". In "--set=a.args.B=c d" the
// space is in the value.
func words(options []string) (words []string) {
	for _, option := range options {
		flag, value, ok := strings.Cut(option, " ")
		if strings.Contains(flag, "=") {
			flag, ok = option, false
		}
		if words = append(words, flag); ok && strings.HasPrefix(flag, "-") {
			words = append(words, strings.TrimSpace(value))
		}
	}
	return words
}
