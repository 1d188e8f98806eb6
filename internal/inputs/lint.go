package inputs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/rules"
)

// Lint returns what Docker's own rules find in the Dockerfile of a build, as `docker build --check`
// does, and mistakes in it. An image that cannot be looked up is no mistake: then the rules that
// depend on its settings say nothing. A Dockerfile for a frontend other than Docker's is not
// checked, because it may be in another language. name is the Dockerfile's name for messages.
func (f *Finder) Lint(ctx context.Context, b Build, name string) (*lint.LintResults, error) {
	b = b.withBuilder()
	data, err := b.Read()
	if err != nil {
		return nil, err
	}
	sourceMap := llb.NewSourceMap(nil, name, "Dockerfile", data)
	sourceMap.Definition = &llb.Definition{} // BuildKit expects one
	if syntax, _, _, foreign := parser.DetectSyntax(data); foreign {
		named, err := reference.ParseNormalizedNamed(syntax)
		if err == nil && named.Name() != dockerFrontend {
			results := &lint.LintResults{}
			results.AddSource(sourceMap)
			return results, nil
		}
	}
	c, ui, err := f.offline(b, data)
	if err != nil {
		return nil, err
	}
	c.variables = true // Docker's rules know those of the images
	results := &lint.LintResults{}
	if ui.LinterConfig, err = linterConfig(b, data); err != nil {
		results.AddSource(sourceMap)
		results.Error = &lint.BuildError{Message: name + ": " + err.Error()}
		return results, nil
	}
	base := &baseImages{offline: c}
	results, err = dockerfile2llb.DockerfileLint(ctx, data, dockerfile2llb.ConvertOpt{
		Config: ui.Config, Client: ui, TargetPlatform: &b.Platform, MetaResolver: base, SourceMap: sourceMap,
	})
	if err != nil {
		return nil, err
	}
	if len(c.unknown) > 0 {
		results.Warnings = slices.DeleteFunc(results.Warnings, needsImage)
	}
	if wrong := results.Error; wrong != nil && len(wrong.Location.Ranges) == 0 {
		wrong.Message = name + ": " + wrong.Message
	}
	return results, nil
}

// linterConfig says which rules count: those of the build argument, else those of the Dockerfile.
// Findings are no errors here, whatever it says.
func linterConfig(b Build, data []byte) (*linter.Config, error) {
	options, given := b.Args[rules.Arg]
	if !given {
		options, _, _, _ = parser.ParseDirective("check", data)
	}
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		return nil, fmt.Errorf("failed to parse check options: %w", err)
	}
	config.ReturnAsError = false
	return config, nil
}

// needsImage reports whether a finding may be wrong because the settings of an image are not known:
// it may have the variable.
func needsImage(w lint.Warning) bool { return w.RuleName == linter.RuleUndefinedVar.Name }

// baseImages looks images up for the rules. It knows the settings of Lambda's base images.
type baseImages struct{ *offline }

// ResolveImageConfig returns the settings of an image, the zero ones if they are not known.
func (r *baseImages) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || catalogue.LambdaLanguage(named) == "" {
		return r.offline.ResolveImageConfig(ctx, ref, opt)
	}
	platform := r.build.Platform
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		platform = *opt.ImageOpt.Platform
	}
	config, err := json.Marshal(ocispecs.Image{Platform: platform, Config: lambdaSettings()})
	return ref, digest.FromString(ref), config, err
}

// lambdaSettings returns the settings that Lambda's base images of all languages have:
// https://github.com/aws/aws-lambda-base-images
func lambdaSettings() ocispecs.ImageConfig {
	return ocispecs.ImageConfig{
		Env: []string{
			"LANG=en_US.UTF-8", "TZ=:/etc/localtime",
			"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
			"LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime",
		},
		WorkingDir: "/var/task",
		Entrypoint: []string{"/lambda-entrypoint.sh"},
	}
}
