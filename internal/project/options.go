// Package images is one run of `samforge build`: from a build file to images in
// a registry, on disk or in a Docker engine.
//
// [Build] prepares a request, each of whose images becomes a job of the builder;
// the report tells what came of them.
package project

import (
	"io"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/llbgen"
)

// Options are the flags of `samforge build`; a zero value builds all targets
// of samforge.yaml in the current directory and keeps the result in the
// builder's cache.
type Options struct {
	// Context is the build context: a folder, or the address of a git repository
	// or an archive, which the builder fetches. Empty is the folder of File, or
	// the current one.
	Context string
	// File is the build file; "-" is standard input; empty is samforge.yaml in
	// the context's folder if it exists.
	File string
	// BuildArgs override values of the build file.
	BuildArgs map[string]string
	// Mirrors are added to those of the build file.
	Mirrors llbgen.Mirrors
	// Targets select what is built; none selects all.
	Targets []string
	// Platforms to build for, such as linux/arm64; none leaves it to the base
	// images.
	Platforms []string

	// Tags replace the references made from the build file; one target only.
	Tags []string
	// TagTemplate replaces the template of the tags.
	TagTemplate string
	// Push pushes the images; Load gives them to the Docker engine.
	Push, Load bool
	// Outputs are further exports, as --output has them.
	Outputs []string
	// SkipExisting leaves out images whose tag is in the registry already.
	SkipExisting bool

	CacheFrom, CacheTo []string
	// NoCache runs every step; NoCacheFilter those of some targets.
	NoCache       bool
	NoCacheFilter []string
	// BuildContexts are named contexts, as NAME=SOURCE.
	BuildContexts []string
	Secrets, SSH  []string
	Labels        map[string]string
	// Annotations are OCI annotations, as buildx has them: [TYPE:]KEY=VALUE.
	Annotations []string
	// Attests are attestations to add: "type=sbom", "type=provenance,mode=max".
	Attests []string

	MetadataFile, IIDFile string
	// Progress is auto, tty, plain, rawjson or quiet.
	Progress string

	// Builders are the addresses of several builders, which share the targets;
	// one, or none, is as Builder.Address.
	Builders []string
	Builder  builder.Options
	Stdin    io.Reader
	// Stdout gets one line an image; Stderr the progress and all else.
	Stdout, Stderr io.Writer
}

// InputError is a mistake of the user's, found before anything was built.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }

// Unwrap returns what was wrong.
func (e *InputError) Unwrap() error { return e.err }

func inputError(err error) error { return &InputError{err} }
