package scaffold

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/llbgen"
)

// samTag matches the tags of AWS's SAM build images that do not move: a version, and when it was built.
var samTag = regexp.MustCompile(`^\d+\.\d+\.\d+-(\d{14})$`)

// baseImage returns the base image for an answer: the newest SAM build image if it is the name of a
// runtime, such as python3.13, else the answer itself.
func (opt Options) baseImage(ctx context.Context, answer string) (string, error) {
	if answer == "" || !isName(answer) {
		return answer, nil
	}
	known, err := catalogue.Load()
	if err != nil {
		return "", err
	}
	if _, ok := known.Runtime(answer); !ok {
		hint := ""
		if near := known.Nearest(answer); near != "" {
			hint = ": did you mean " + near + "?"
		}
		return "", &InputError{fmt.Errorf("there is no runtime %s%s (samforge runtimes lists them)", answer, hint)}
	}
	image, err := NewestImage(ctx, answer, opt.Tags, nil)
	if err != nil {
		return "", fmt.Errorf("%w: name an image, such as %s", err, example("runtimes[].image"))
	}
	return image, nil
}

// NewestImage returns the newest SAM build image of a runtime, by a tag that does not move. tags
// lists the tags of a repository, which may be in a mirror.
func NewestImage(ctx context.Context, runtime string, tags func(ctx context.Context, repository string) ([]string, error), mirrors llbgen.Mirrors) (string, error) {
	repository := catalogue.SAMRepository(runtime)
	all, err := tags(ctx, mirrors.Image(repository))
	if err != nil {
		return "", fmt.Errorf("find the newest image of %s: %w", runtime, err)
	}
	builds := slices.DeleteFunc(slices.Clone(all), func(tag string) bool { return !samTag.MatchString(tag) })
	if len(builds) == 0 {
		return "", fmt.Errorf("%s has no tag of one build, as 1.143.0-20250822194415 is", repository)
	}
	built := func(tag string) string { return samTag.FindStringSubmatch(tag)[1] }
	return repository + ":" + slices.MaxFunc(builds, func(a, b string) int { return cmp.Compare(built(a), built(b)) }), nil
}

// isName reports whether an answer is the name of a runtime and not a reference.
func isName(answer string) bool { return !strings.ContainsAny(answer, "/:@") }

// baseImages replaces the names of runtimes by their newest images.
func (opt *Options) baseImages(ctx context.Context) error {
	opt.Runtimes = slices.Clone(opt.Runtimes)
	for i, answer := range opt.Runtimes {
		image, err := opt.baseImage(ctx, answer)
		if err != nil {
			return fmt.Errorf("--runtime: %w", err)
		}
		opt.Runtimes[i] = image
	}
	return nil
}

// currentRuntimes returns the names of the runtimes that AWS maintains on a day.
func currentRuntimes(day time.Time) (names []string, err error) {
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	for _, r := range known.Runtimes() {
		if r.StatusOn(day) == catalogue.StatusCurrent {
			names = append(names, r.Name)
		}
	}
	return names, nil
}

// plugin is a plugin image, with the version of its tags.
type plugin struct{ image, version string }

// plugins are the plugins to propose, by kind.
func plugins() map[string]plugin {
	return map[string]plugin{
		"sam":        {"harness/aws-sam-plugin:1.1.2-beta-base-image", "1.1.2-beta"},
		"serverless": {"harness/serverless-plugin:1.1.0-beta-base-image", "1.1.0-beta"},
		"cdk":        {"harness/aws-cdk-plugin:1.0.0-base", "1.0.0"},
	}
}
