package project

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/placeholder"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/npm"
	"github.com/samforge/samforge/source"
)

// Target is one image to make.
type Target struct {
	// Name selects the target alone. Groups select it together with others, by runtime and by
	// variant.
	Name   string
	Groups []string
	// Entry is the same for targets that share layers. One builder should build them all.
	Entry string
	// Platforms are the platforms of the image. Several make an index.
	Platforms []ocispecs.Platform
	// Refs are the references of the image. Members are the references of an index's members, by
	// architecture.
	Refs    []string
	Members map[string]string
	// NoPush is true for an image that is not pushed, whatever else is.
	NoPush bool
	// Base is the reference of the base image, as written.
	Base string
	// Pulls are the images that the builder pulls for the target, because it copies files from
	// them.
	Pulls []string

	// Lambda is what the function sets that the image is for; nil for an image that Lambda does not
	// run.
	Lambda *lambda.Function
	// Inputs is what the image is made from, if its tag says so: the image in the registry with this
	// tag is the one that a build would give. nil if it is not known.
	Inputs *inputs.Inputs
	// Changed reports whether the image would be made from something else now. nil if Inputs is, and
	// for an image that has a tag of its own each time.
	Changed func(context.Context) (bool, error)

	// Outputs are further exports of the target alone, in the form of --output.
	Outputs []string
	// Own are settings of the target alone.
	Own Settings
	// Links are named contexts that are the images of other targets, by their names.
	Links map[string]Target

	fields  map[string]string // the fields for the template of a cache
	project *Project
	image   image
}

// image is what a target is made from.
type image interface {
	// describe returns the inputs of the image.
	describe(ctx context.Context, opt llbgen.Options) (*llbgen.Image, error)
	// build returns the build function of the frontend.
	build(f frontend.Frontend) gateway.BuildFunc
	// explain returns a sentence that says why a build failed, or the empty string.
	explain(err error) string
	// diagnose returns a message at the place of the image in the build file.
	diagnose(message string) *source.Diagnostic
}

// name sets the references of the image: those of the one platform, or those of an index and its
// members.
func (t *Target) name(reference func(arch string) (string, error)) error {
	if !t.Multi() {
		ref, err := reference(t.Platforms[0].Architecture)
		t.Refs = []string{ref}
		return err
	}
	ref, err := reference("")
	if err != nil {
		return err
	}
	t.Refs, t.Members = []string{ref}, map[string]string{}
	for _, platform := range t.Platforms {
		member, err := reference(platform.Architecture)
		if err != nil {
			return err
		}
		if member != ref { // a template without .Arch names only the index
			t.Members[platform.Architecture] = member
		}
	}
	return nil
}

// Multi reports whether the image is an index of several platforms.
func (t Target) Multi() bool { return len(t.Platforms) > 1 }

// SelectedBy reports whether name is the target's name or the name of one of its groups.
func (t Target) SelectedBy(name string) bool {
	return name == t.Name || name == t.Entry || slices.Contains(t.Groups, name)
}

// References returns the references of the image, followed by those of its members.
func (t Target) References() []string {
	refs := slices.Clone(t.Refs)
	for _, arch := range slices.Sorted(maps.Keys(t.Members)) {
		refs = append(refs, t.Members[arch])
	}
	return refs
}

// Attrs returns the frontend's attributes for the target. They are the ones that docker buildx
// passes, so that every door builds the same image.
func (t Target) Attrs() map[string]string {
	var names []string
	for _, p := range t.Platforms {
		names = append(names, platforms.Format(p))
	}
	attrs := t.project.Context.Attrs()
	if d, ok := t.image.(dockerfileImage); ok {
		maps.Copy(attrs, d.d.Attrs)
	}
	attrs["filename"] = t.project.File.ServedName()
	attrs["target"] = t.Name
	attrs["platform"] = strings.Join(names, ",")
	for name, value := range t.project.Args {
		attrs["build-arg:"+name] = value
	}
	return attrs
}

// Part returns the part of the project that the target comes from: see [Project.Parts].
func (t Target) Part() *Project { return t.project }

// Build returns the build function of the target. It runs the frontend, as every door does.
func (t Target) Build(f frontend.Frontend) gateway.BuildFunc { return t.image.build(f) }

// Diagnostic returns a sentence about the target, at its place in the build file.
func (t Target) Diagnostic(format string, args ...any) *source.Diagnostic {
	return t.image.diagnose(fmt.Sprintf(format, args...))
}

// Describe returns the inputs of the image for one platform, when a builder of another platform
// builds it. It needs no builder.
func (t Target) Describe(ctx context.Context, platform, builder ocispecs.Platform, images *Lookup) (*llbgen.Image, error) {
	return t.image.describe(ctx, images.options(platform, builder))
}

// Explain returns a sentence that says why the target's build failed, or the empty string. log is the
// output of the failed step.
func (t Target) Explain(err error, log string) string {
	if sentence := npm.Explain(log); sentence != "" || t.image == nil {
		return sentence
	}
	return t.image.explain(err)
}

// Expand fills in the placeholders in the values of a flag, such as {{.Target}} in --cache-to: each
// of several images has its own cache.
func (t Target) Expand(flag string, values []string) ([]string, error) {
	expanded := slices.Clone(values)
	for n, value := range values {
		text, err := placeholder.Fill(value, t.fields)
		if err != nil {
			return nil, fmt.Errorf("%s %.200q: %w", flag, value, err)
		}
		expanded[n] = text
	}
	return expanded, nil
}

// ParsePlatforms reads --platform. It refuses what no builder can build for.
func ParsePlatforms(values []string) ([]ocispecs.Platform, error) {
	var asked []ocispecs.Platform
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			platform, err := platforms.Parse(name)
			if err != nil || !slices.Contains(architectures(), platform.Architecture) {
				near := ""
				if n := suggest.Nearest(name, commonPlatforms()); n != "" {
					near = ": did you mean " + n + "?"
				}
				return nil, fmt.Errorf("--platform %q is not a platform%s (images are built for %s)", name, near, strings.Join(commonPlatforms(), " and "))
			}
			asked = append(asked, platform)
		}
	}
	return asked, nil
}

// commonPlatforms are those that SAM images and Lambda have.
func commonPlatforms() []string { return []string{"linux/amd64", "linux/arm64"} }

// architectures are those of GOARCH that BuildKit builds for.
func architectures() []string {
	return []string{"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm"}
}

// buildTime returns the time for {{.Timestamp}} in a tag: SOURCE_DATE_EPOCH, or now.
func buildTime(args map[string]string) (time.Time, error) {
	if args[llbgen.EpochArg] == "" {
		return time.Now(), nil
	}
	return llbgen.ParseEpoch(args[llbgen.EpochArg])
}
