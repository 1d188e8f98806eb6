// Package build builds targets on a builder, or spread over several, and reports what came of them.
//
// [Build] turns each target into a job of the builder and returns the images that were made.
package build

import (
	"io"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// Options are the flags of `samforge build` that do not say what the images are. The zero value
// keeps the result in the builder's cache.
type Options struct {
	project.Settings

	// Push pushes the images; Load gives them to the Docker engine.
	Push, Load bool
	// Outputs are further exports, as --output has them.
	Outputs []string
	// SkipExisting leaves out images whose tags are all in the registry.
	SkipExisting bool

	// NoCache runs every step; NoCacheFilter those of some targets.
	NoCache       bool
	NoCacheFilter []string
	// Network is what the steps run with: default, none or host. AddHosts are names that the steps
	// find at an address, as HOST:IP.
	Network  string
	AddHosts []string

	MetadataFile, IIDFile string
	// Progress is auto, tty, plain, rawjson or quiet.
	Progress string

	// Builders are the addresses of several builders, which share the targets; one, or none, is as
	// Builder.Address.
	Builders []string
	Builder  builder.Options
	// Registries has the credentials, for the builder too.
	Registries *registry.Client
	// Silence is how long a build may report nothing.
	Silence builder.SilenceOptions
	// Stdout gets one line an image; Stderr the progress and all else.
	Stdout, Stderr io.Writer
}
