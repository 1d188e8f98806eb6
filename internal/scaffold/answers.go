package scaffold

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// Answers are the values for the user's build file.
type Answers struct {
	// Kind is the kind of the images, or [Application]: then the other answers are the runtime of its
	// function, such as nodejs24.x, and Repo.
	Kind string
	// Plugin is the plugin image, PluginVersion the version in the tags.
	Plugin, PluginVersion string
	// Repo is the repository of the images' tags. It may be empty.
	Repo string
	// Runtimes are the base images.
	Runtimes []string
	// Nodes are the images to copy Node.js from, for kinds that need it: one for all base images,
	// or one for each in their order.
	Nodes []string
	// Framework is the framework of the images, for kinds that have one.
	Framework Framework
}

// Node returns the node image of a base image, or "" if there is none.
func (a Answers) Node(runtime int) string {
	if len(a.Nodes) == 1 {
		return a.Nodes[0]
	}
	if runtime < len(a.Nodes) {
		return a.Nodes[runtime]
	}
	return ""
}

// File returns the build file. Missing or wrong answers are an [*InputError] that names their
// flags.
func (a Answers) File() ([]byte, error) {
	if err := errors.Join(a.incomplete(), a.wrong()); err != nil {
		return nil, err
	}
	return a.render()
}

// incomplete returns an [*InputError] that names the missing flags.
func (a Answers) incomplete() error {
	if missing := a.missing(); len(missing) > 0 {
		return &InputError{fmt.Errorf("missing: %s", strings.Join(missing, ", "))}
	}
	return nil
}

// missing returns the flags for the answers that a build file needs and that are not there.
func (a Answers) missing() []string {
	var flags []string
	for _, need := range []struct {
		flag   string
		absent bool
	}{
		{"--kind", a.Kind == ""},
		{"--plugin", a.Plugin == ""},
		{"--plugin-version", a.PluginVersion == ""},
		{"--runtime", len(a.Runtimes) == 0},
		{"--node", a.needsNode() && len(a.Nodes) == 0},
	} {
		if need.absent {
			flags = append(flags, need.flag)
		}
	}
	return flags
}

// needsNode reports whether images of the kind copy Node.js from another image.
func (a Answers) needsNode() bool {
	return slices.ContainsFunc(llbgen.Fields(), func(f llbgen.Field) bool {
		return f.Path == "runtimes[].node" && slices.Contains(f.Kinds, a.Kind)
	})
}

// wrong returns the mistakes in the given answers as an [*InputError].
func (a Answers) wrong() error {
	var wrong []error
	if n := len(a.Nodes); n > 1 && n != len(a.Runtimes) {
		wrong = append(wrong, fmt.Errorf("--node: %d images for %d base images: give one for all, or one for each", n, len(a.Runtimes)))
	}
	missing := a.missing()
	for _, mistake := range a.mistakes() {
		if flag := flagOf(mistake.Field); !slices.Contains(missing, flag) {
			wrong = append(wrong, fmt.Errorf("%s: %s", flag, mistake.Message))
		}
	}
	if len(wrong) > 0 {
		return &InputError{errors.Join(wrong...)}
	}
	return nil
}

// mistakeIn returns the mistake in a key of the build file, or "" if there is none.
func (a Answers) mistakeIn(field string) string {
	switch {
	case field == runtimeField:
		_, err := a.runtime()
		return sentence(err)
	case field == "kind" && a.Kind == Application:
		return sentence(a.wrongForApplication())
	}
	for _, mistake := range a.mistakes() {
		if mistake.Field == field || mistake.Field+".image" == field {
			return mistake.Message
		}
	}
	return ""
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// mistakes returns the mistakes of the build file, which is parsed like any other.
func (a Answers) mistakes() source.Diagnostics {
	file, err := a.render()
	if err == nil {
		_, err = llbgen.Load(llbgen.Filename, file, nil)
	}
	var found source.Diagnostics
	if err != nil && !errors.As(err, &found) {
		found = source.Diagnostics{{Message: err.Error()}}
	}
	return found
}

// flagOf returns the flag that sets a key of the build file.
func flagOf(field string) string {
	switch {
	case field == "plugin.image":
		return "--plugin"
	case field == "plugin.version":
		return "--plugin-version"
	case strings.HasSuffix(field, "].node"):
		return "--node"
	case strings.HasPrefix(field, "runtimes"):
		return "--runtime"
	}
	return "--" + field
}
