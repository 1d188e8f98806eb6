// Package project interprets a command line: it reads the build file, its context, its lock file
// and its parameters, and returns the targets that they ask for.
//
// A [Target] is a value. It knows how it is built, described, linted and baked. Its origin is
// forgotten after [Load].
package project

import (
	"context"
	"io"
	"time"

	"github.com/samforge/samforge/llbgen"
)

// Options are the flags that describe the images, independent of the builder. The zero value means
// all targets of samforge.yaml in the current directory.
type Options struct {
	// Context is the build context: a folder, or the address of a git repository or an archive,
	// which the builder fetches. Empty means the folder of File, or the current one.
	Context string
	// File is the build file: a samforge.yaml or a SAM template. "-" means standard input; empty
	// means samforge.yaml in the context's folder, else template.yaml, template.yml or
	// template.json, if they exist.
	File string
	// Stdin is read for the file "-".
	Stdin io.Reader
	// BuildArgs override values of the build file.
	BuildArgs map[string]string
	// Flags are the flags that stand for a build argument, by its name: mistakes name the flag.
	Flags map[string]string
	// Environment returns the value of a variable, or "" if it is not set. It is called for the
	// build arguments that the kind of the images has and BuildArgs does not. nil reads no
	// variable.
	Environment func(name string) string
	// Taken is called with the values that came from the environment, if there are any. It may be
	// nil.
	Taken func(args map[string]string)
	// NewestImage returns the newest SAM build image of a runtime, or "" if it cannot be found. It is
	// called to say what to write for a base image that is only the name of a runtime; nil leaves
	// that out.
	NewestImage func(ctx context.Context, runtime string, mirrors llbgen.Mirrors) string
	// Mirrors are added to those of the build file.
	Mirrors llbgen.Mirrors
	// BuildContexts are named contexts, as NAME=SOURCE.
	BuildContexts []string

	// Parameters are those of a SAM template, Region is the value of AWS::Region in it, and BaseDir
	// is the folder that its paths are relative to: its own if BaseDir is empty.
	Parameters map[string]string
	Region     string
	BaseDir    string
	// BuildMode is how the functions of a template are built. For "debug" they get the build argument
	// SAM_BUILD_MODE, and -debug after their tags, as from `sam build` with that variable. There is no
	// other mode but "".
	BuildMode string
	// Repo is the repository of the images; empty means the one in the build file.
	Repo string
	// Repos are the repositories of a template's functions by their names; with Repo there are none.
	Repos map[string]string
	// RepoOf returns the repository of a template's function, by the name that SAM CLI has for it, such
	// as Child/HelloFunction. It takes the place of Repo and Repos; nil leaves it to them.
	RepoOf func(function string) string
	// Archives says that functions whose image is in a file count, too: see [Project.Archives].
	Archives bool
	// Images says that functions whose image is in a registry may be chosen. Nothing is built for them.
	Images bool
	// RecipeFlags are the flags that were given and that only a samforge.yaml has.
	RecipeFlags []string
	// TemplateFlags are the flags that were given and that only a SAM template has.
	TemplateFlags []string

	// Targets selects what is built; empty selects all targets. TargetFlag is the flag for it, which
	// errors name; empty for a command that has none.
	Targets    []string
	TargetFlag string
	// Excludes leaves out functions of a SAM template.
	Excludes []string
	// Platforms to build for, such as linux/arm64. If empty, the base images decide.
	Platforms []string
	// Tags replace the references made from the build file; one target only.
	Tags []string
	// TagTemplate replaces the template of the tags.
	TagTemplate string
}

// loadOptions are the options that a build file is loaded with, beside its lock file.
func (opt Options) loadOptions(ctx context.Context) []llbgen.LoadOption {
	all := []llbgen.LoadOption{llbgen.Today(time.Now())}
	if opt.NewestImage != nil {
		all = append(all, llbgen.NewestImage(func(runtime string, mirrors llbgen.Mirrors) string {
			return opt.NewestImage(ctx, runtime, mirrors)
		}))
	}
	return all
}

// InputError is a mistake in the input, found before anything was built.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *InputError) Unwrap() error { return e.err }

// BadInput returns err as an [*InputError].
func BadInput(err error) error { return &InputError{err} }
