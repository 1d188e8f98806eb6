// Package project reads what a command line means: the build file, its context, its lock file and
// its parameters, and returns the targets that they ask for.
//
// A [Target] is a value. It knows how it is built, described, linted and baked; where it came from
// is forgotten after [Load].
package project

import (
	"io"

	"github.com/samforge/samforge/llbgen"
)

// Options are the flags that say what the images are, whoever builds them. The zero value is all
// targets of samforge.yaml in the current directory.
type Options struct {
	// Context is the build context: a folder, or the address of a git repository or an archive,
	// which the builder fetches. Empty is the folder of File, or the current one.
	Context string
	// File is the build file; "-" is standard input; empty is samforge.yaml in the context's folder
	// if it exists.
	File string
	// Stdin is read for the file "-".
	Stdin io.Reader
	// BuildArgs override values of the build file.
	BuildArgs map[string]string
	// Environment returns the value of a variable, "" for none. It is asked for the build arguments
	// that the kind of the images has and that BuildArgs do not give; nil is not asked.
	Environment func(name string) string
	// Taken is told which values of the environment were taken, if any; nil is not.
	Taken func(args map[string]string)
	// Mirrors are added to those of the build file.
	Mirrors llbgen.Mirrors
	// BuildContexts are named contexts, as NAME=SOURCE.
	BuildContexts []string

	// Targets select what is built; none selects all.
	Targets []string
	// Platforms to build for, such as linux/arm64; none leaves it to the base images.
	Platforms []string
	// Tags replace the references made from the build file; one target only.
	Tags []string
	// TagTemplate replaces the template of the tags.
	TagTemplate string
}

// InputError is a mistake in the input, found before anything was built.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *InputError) Unwrap() error { return e.err }

// BadInput returns err as an [*InputError].
func BadInput(err error) error { return &InputError{err} }
