// Package build builds targets on one builder or on several, and reports the results.
//
// [Build] turns each target into a job of the builder and returns the images that were made.
package build

import (
	"context"
	"io"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"

	spb "github.com/moby/buildkit/sourcepolicy/pb"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// Step is something that is done with the image of a target. Its Attachable and its Sources are in the
// session of the builder.
type Step interface {
	// Run is called with the result of the target's build. Its error is the target's.
	Run(ctx context.Context, c gateway.Client, t project.Target, res *gateway.Result) error
	// Attachable returns what takes the place of the SSH agents in the session, which it is given: nil
	// if there are none.
	Attachable(agents session.Attachable) session.Attachable
	// Sources are further local sources, by their names.
	Sources() map[string]fsutil.FS
}

// Options are the flags of `samforge build` that do not describe the images. The zero value keeps
// the result in the builder's cache.
type Options struct {
	project.Settings

	// Push pushes the images; Load gives them to the Docker engine.
	Push, Load bool
	// CheckPush asks before a build whether its images may be pushed.
	CheckPush bool
	// Together exports no image before all of them are built.
	Together bool
	// Prepare makes the repositories of images and caches ready for a push. It is called when no
	// mistake was found in the input, before anything is built. nil does nothing.
	Prepare func(ctx context.Context, refs []string, caches []registry.Cache) error
	// NoSkip builds the functions of a SAM template even if an image of the same inputs is in the
	// registry.
	NoSkip bool
	// Step runs with the image of each target when it is built, before it is exported. It may be nil.
	Step Step
	// Serve says that Step goes on until the context ends: the steps of all targets at the same time, and
	// all of them end when one fails.
	Serve bool
	// BuildOnly exports nothing: the image is in the builder's cache.
	BuildOnly bool
	// DryRun says that the user asked for images that go nowhere, so that nothing warns of it.
	DryRun bool
	// Outputs are further exports, in the form of --output.
	Outputs []string
	// SkipExisting leaves out images whose tags all exist in the registry.
	SkipExisting bool

	// RewriteTimestamp gives all files of an image the time of the build's SOURCE_DATE_EPOCH, so
	// that it is the same on every builder. The builder pulls layers for it that it could leave in
	// a cache.
	RewriteTimestamp bool

	// NoCache runs every step again; NoCacheFilter does so for some targets only.
	NoCache       bool
	NoCacheFilter []string
	// Network is the network of the steps: default, none or host. AddHosts are extra host names for
	// the steps, as HOST:IP.
	Network  string
	AddHosts []string

	MetadataFile, IIDFile string
	// Summary is one of [SummaryForms]; empty means auto.
	Summary string
	// Progress is auto, tty, plain, rawjson or quiet.
	Progress string

	// Builders are the addresses of several builders, which share the targets. One address means
	// the same as Builder.Address.
	Builders []string
	Builder  builder.Options
	// Registries holds the credentials, also those for the builder.
	Registries *registry.Client
	// Silence is how long a build may report nothing.
	Silence builder.SilenceOptions
	// SourcePolicy has rules for what is pulled, as docker buildx takes them from
	// EXPERIMENTAL_BUILDKIT_SOURCE_POLICY; nil has none.
	SourcePolicy *spb.Policy
	// Tries is how often an image is built at most if connections to registries break off; 0 means
	// 3.
	Tries int
	// Stdout gets one line for each image; Stderr gets the progress and everything else.
	Stdout, Stderr io.Writer
}
