package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/moby/buildkit/util/appdefaults"

	"github.com/samforge/samforge/credentials"
)

// discoverTimeout bounds each step of the discovery; all of them are on this machine, or a DOCKER_HOST.
const discoverTimeout = 5 * time.Second

// NotFoundError says that discovery came to nothing.
type NotFoundError struct {
	Tried []Attempt // in the order tried, never empty
}

// Attempt is one step of the discovery and why it failed.
type Attempt struct {
	What string // "Docker engine unix:///var/run/docker.sock"
	Err  error
}

// Error lists what was tried, one a line, and ends with a remedy.
func (e *NotFoundError) Error() string {
	return "no BuildKit found to build with; tried:\n" + listed(e.Tried) +
		"name a buildkitd with --builder or BUILDKIT_HOST, start Docker, or put buildkitd and runc beside samforge or on PATH"
}

// listed returns the attempts, one a line.
func listed(attempts []Attempt) string {
	var s strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&s, "  %s: %s\n", a.What, strings.ReplaceAll(a.Err.Error(), "\n", "\n    "))
	}
	return s.String()
}

// Find returns the buildkitd to build with. One that the user named, in opt.Address or BUILDKIT_HOST, is used or is an
// error. Otherwise the first that answers, of: the rootful socket, the rootless socket, the Docker engine, a private
// buildkitd. When none does, the error is a *NotFoundError.
func Find(ctx context.Context, opt Options) (*Builder, error) {
	if address := cmp.Or(opt.Address, opt.env("BUILDKIT_HOST")); address != "" {
		if credentials.In(address) {
			return nil, errCredentials(address)
		}
		b, err := named(ctx, address, opt)
		if err != nil {
			return nil, fmt.Errorf("connect to the builder %s: %w", address, err)
		}
		return b, nil
	}
	var tried []Attempt
	for _, step := range discovery(opt) {
		b, err := step.find(ctx)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("look for a builder: %w", context.Cause(ctx))
		}
		tried = append(tried, Attempt{What: step.what, Err: err})
	}
	return nil, &NotFoundError{Tried: tried}
}

// errCredentials refuses an address with a user or a password in it, which logs would show.
func errCredentials(address string) error {
	return fmt.Errorf("the address of the builder %s has a user or a password in it: leave it out; a builder knows its clients by certificates (--tlscert, --tlskey) or by SSH keys", credentials.Mask(address))
}

// named connects to the builder that the user named.
func named(ctx context.Context, address string, opt Options) (*Builder, error) {
	if u, err := url.Parse(address); err == nil {
		switch u.Scheme {
		case "docker":
			return dockerEngine(ctx, opt.dockerEndpoint(), connectTimeout)
		case "private":
			return startPrivate(ctx, opt)
		}
	}
	return connect(ctx, address, opt.TLS, connectTimeout)
}

type step struct {
	what string
	find func(context.Context) (*Builder, error)
}

// discovery returns the steps of the discovery, in order.
func discovery(opt Options) []step {
	socket := func(address string) func(context.Context) (*Builder, error) {
		return func(ctx context.Context) (*Builder, error) {
			return connect(ctx, address, TLS{}, discoverTimeout)
		}
	}
	rootful := cmp.Or(opt.rootful, appdefaults.Address)
	steps := []step{{"rootful buildkitd " + rootful, socket(rootful)}}
	if address := rootlessAddress(opt.env); address != "" {
		steps = append(steps, step{"rootless buildkitd " + address, socket(address)})
	} else {
		steps = append(steps, step{"rootless buildkitd", func(context.Context) (*Builder, error) {
			return nil, errors.New("XDG_RUNTIME_DIR is not set")
		}})
	}
	docker := opt.dockerEndpoint()
	return append(steps,
		step{"Docker engine " + credentials.Mask(docker.host), func(ctx context.Context) (*Builder, error) {
			return dockerEngine(ctx, docker, discoverTimeout)
		}},
		step{"private buildkitd", func(ctx context.Context) (*Builder, error) {
			return startPrivate(ctx, opt)
		}},
	)
}

// rootlessAddress is where a rootless buildkitd listens (appdefaults.UserAddress with our environment), or "".
func rootlessAddress(env func(string) string) string {
	dir, _, _ := strings.Cut(env("XDG_RUNTIME_DIR"), ":")
	if dir == "" {
		return ""
	}
	return "unix://" + filepath.Join(dir, "buildkit", "buildkitd.sock")
}

var (
	grpcWrapping = regexp.MustCompile(`(?s)^.*connection error: desc = "(.*)"$`)
	dialWrapping = regexp.MustCompile(`^transport: (?:[Ee]rror while dialing:? ?)+`)
)

// reason returns err without gRPC's layers of "connection error: desc = …", which hide what the operating system said.
func reason(err error) error {
	text := err.Error()
	if m := grpcWrapping.FindStringSubmatch(text); m != nil {
		text = dialWrapping.ReplaceAllString(strings.ReplaceAll(m[1], `\"`, `"`), "")
	}
	return &reasonError{text, err}
}

type reasonError struct {
	text string
	err  error
}

func (e *reasonError) Error() string { return e.text }
func (e *reasonError) Unwrap() error { return e.err }
