package builder

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"github.com/samforge/samforge/internal/rootless"
)

// Survey is what Find would use, as far as that can be said without starting anything.
type Survey struct {
	Builder *Builder       // that answered, which the caller closes; nil if there is none
	Tried   []Attempt      // those before it in the order of Find
	Private *PrivateSurvey // the buildkitd that Find would start; nil if Builder is used
}

// PrivateSurvey describes the private buildkitd that would be started.
type PrivateSurvey struct {
	Err       error  // why it cannot be started at all; then the other fields are empty
	Buildkitd string // path
	Runc      string // path; "" if it is not installed
	Root      bool   // it runs as root, without a user namespace
	OneID     *rootless.Reason
	CacheDir  string // the folder that its state is in; "" if there is none
}

// Look returns the builder that Find would use, and starts none. It fails for a builder that is
// named and does not answer.
func Look(ctx context.Context, opt Options) (*Survey, error) {
	address := cmp.Or(opt.Address, opt.env("BUILDKIT_HOST"))
	if u, err := url.Parse(address); err == nil && u.Scheme == "private" {
		return &Survey{Private: surveyPrivate(opt)}, nil
	}
	if address != "" {
		b, err := Find(ctx, opt)
		if err != nil {
			return nil, err
		}
		return &Survey{Builder: b}, nil
	}
	steps := discovery(opt)
	b, err := discover(ctx, opt, steps[:len(steps)-1])
	if notFound := (*NotFoundError)(nil); errors.As(err, &notFound) {
		return &Survey{Tried: notFound.Tried, Private: surveyPrivate(opt)}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Survey{Builder: b}, nil
}
