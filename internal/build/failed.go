package build

import (
	"cmp"
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
	Pushed []Built
	// Perhaps are references, as NAME@DIGEST, that may be in the registry though their image failed.
	Perhaps []string
	pushing bool
}

func (e *FailedError) Error() string {
	lines := e.causes()
	var pushed, perhaps []string
	for _, image := range e.Pushed {
		for _, ref := range image.Refs {
			pushed = append(pushed, "  "+ref.String())
		}
	}
	for _, ref := range e.Perhaps {
		if line := "  " + ref; !slices.Contains(pushed, line) {
			perhaps = append(perhaps, line)
		}
	}
	unsure := slices.ContainsFunc(e.Failures, func(f builder.Result) bool { return registry.CacheUnwritten(f.Err) })
	if len(pushed) > 0 && e.pushing {
		lines = append(append(lines, "already pushed (the same command pushes the rest):"), pushed...)
	}
	switch {
	case !e.pushing || unsure: // the error says it
	case len(perhaps) > 0:
		lines = append(append(lines, "perhaps pushed already:"), perhaps...)
	case len(pushed) == 0 && errors.As(e, new(*builder.LostError)): // it may have pushed meanwhile
		lines = append(lines, "nothing is known to have been pushed")
	case len(pushed) == 0:
		lines = append(lines, "nothing was pushed")
	}
	return strings.Join(lines, "\n")
}

// causes returns a line for each failure, and one for targets that failed for the same reason. What a
// registry says names the tag of each; the explanation of it is the same.
func (e *FailedError) causes() (lines []string) {
	var texts []string
	names, sentences := map[string][]string{}, map[string]string{}
	for _, f := range e.Failures {
		text := strings.TrimPrefix(f.Err.Error(), "failed to solve: ")
		var said *registry.Error
		if errors.As(f.Err, &said) {
			sentences[said.Sentence] = cmp.Or(sentences[said.Sentence], text)
			text = sentences[said.Sentence]
		}
		if len(names[text]) == 0 {
			texts = append(texts, text)
		}
		names[text] = append(names[text], f.Name)
		if mistakes := (source.Diagnostics)(nil); errors.As(f.Err, &mistakes) { // which name the function
			names[text] = []string{""}
		}
	}
	for _, text := range texts {
		if of := strings.Join(names[text], ", "); of != "" {
			text = of + ": " + text
		}
		lines = append(lines, text)
	}
	return lines
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
