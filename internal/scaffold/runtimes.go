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
)

// samTag matches the tags of AWS's SAM build images that do not move: a version, and when it was built.
var samTag = regexp.MustCompile(`^\d+\.\d+\.\d+-(\d{14})$`)

// baseImage returns the base image for an answer: the newest SAM build image if it is the name of a
// runtime, such as python3.13, else the answer itself.
func (opt Options) baseImage(ctx context.Context, answer string) (string, error) {
	if answer == "" || strings.ContainsAny(answer, "/:@") {
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
	repository := "public.ecr.aws/sam/build-" + answer
	tags, err := opt.Tags(ctx, repository)
	if err != nil {
		return "", fmt.Errorf("find the newest image of %s: %w; name an image, such as %s", answer, err, example("runtimes[].image"))
	}
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !samTag.MatchString(tag) })
	if len(tags) == 0 {
		return "", fmt.Errorf("%s has no tag of one build, as 1.143.0-20250822194415 is: name an image", repository)
	}
	built := func(tag string) string { return samTag.FindStringSubmatch(tag)[1] }
	return repository + ":" + slices.MaxFunc(tags, func(a, b string) int { return cmp.Compare(built(a), built(b)) }), nil
}

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
