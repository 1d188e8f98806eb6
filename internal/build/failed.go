package build

import (
	"errors"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/source"
)

// FailedError says that some images could not be made. The images that were made stay, and have
// been printed. The same command makes the rest.
type FailedError struct {
	// Failures are the errors by target.
	Failures []builder.Result
	// Pushed are the images that are in the registry.
	Pushed  []Built
	pushing bool
}

func (e *FailedError) Error() string {
	var lines []string
	for _, f := range e.Failures {
		text := strings.TrimPrefix(f.Err.Error(), "failed to solve: ")
		if mistakes := (source.Diagnostics)(nil); !errors.As(f.Err, &mistakes) { // which name the function
			text = f.Name + ": " + text
		}
		lines = append(lines, text)
	}
	var pushed []string
	for _, image := range e.Pushed {
		for _, ref := range image.Refs {
			pushed = append(pushed, "  "+ref.String())
		}
	}
	unsure := slices.ContainsFunc(e.Failures, func(f builder.Result) bool { return registry.CacheUnwritten(f.Err) })
	switch {
	case !e.pushing:
	case len(pushed) == 0 && unsure: // says it by itself
	case len(pushed) == 0:
		lines = append(lines, "nothing was pushed")
	default:
		lines = append(lines, "already pushed (the same command pushes the rest):")
		lines = append(lines, pushed...)
	}
	return strings.Join(lines, "\n")
}

// Remaining returns e without the images that were only cancelled, whose errors say no more than
// that. It returns nil if nothing remains.
func (e *FailedError) Remaining() error {
	rest := *e
	rest.Failures = slices.DeleteFunc(slices.Clone(e.Failures), builder.Result.Cancelled)
	if len(rest.Failures) == 0 && !e.pushing {
		return nil
	}
	return &rest
}

// Unwrap gives errors.Is and errors.As access to each failure.
func (e *FailedError) Unwrap() []error {
	var errs []error
	for _, f := range e.Failures {
		errs = append(errs, f.Err)
	}
	return errs
}
