package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/appdefaults"

	"github.com/samforge/samforge/internal/credentials"
)

// discoverTimeout limits each step of the discovery. Each step tries something on this machine, or
// a DOCKER_HOST.
const discoverTimeout = 5 * time.Second

// NotFoundError says that the discovery found no builder.
type NotFoundError struct {
	Tried []Attempt // in the order tried, never empty
}

// Attempt is one step of the discovery and why it failed.
type Attempt struct {
	What string // "Docker engine unix:///var/run/docker.sock"
	Err  error
}

// Error lists the attempts, one per line, and ends with a remedy.
func (e *NotFoundError) Error() string {
	return "no BuildKit found to build with; tried:\n" + listed(e.Tried) + remedy(runtime.GOOS)
}

// remedy returns what helps on a system without a builder. buildkitd itself runs only on Linux.
func remedy(goos string) string {
	if goos == "linux" {
		return "name a buildkitd with --builder or BUILDKIT_HOST, start Docker, or put buildkitd and runc beside samforge or on PATH"
	}
	return "start Docker, or name a buildkitd on a Linux machine with --builder or BUILDKIT_HOST, such as --builder tcp://buildkitd.example.com:1234"
}

// listed returns the attempts, one per line.
func listed(attempts []Attempt) string {
	var s strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&s, "  %s: %s\n", a.What, strings.ReplaceAll(a.Err.Error(), "\n", "\n    "))
	}
	return s.String()
}

// Find returns the buildkitd to build with. If the user named one, in opt.Address or BUILDKIT_HOST,
// Find uses it or fails. Otherwise Find takes the first that answers: the rootful socket, the
// rootless socket, the Docker engine, a private buildkitd. An engine that would give images a
// different digest comes last. If none answers, the error is a *NotFoundError.
func Find(ctx context.Context, opt Options) (*Builder, error) {
	if address := cmp.Or(opt.Address, opt.env("BUILDKIT_HOST")); address != "" {
		if err := checkAddress(address); err != nil {
			return nil, err
		}
		b, err := named(ctx, address, opt)
		if err != nil {
			return nil, fmt.Errorf("connect to the builder %s: %w%s", address, err, connectHint(address, err))
		}
		return b, nil
	}
	return discover(ctx, opt, discovery(opt))
}

// discover returns the first builder that answers. A builder that gives images a different digest
// comes last.
func discover(ctx context.Context, opt Options, steps []step) (*Builder, error) {
	var tried []Attempt
	var other *Builder
	for _, step := range steps {
		b, err := step.find(ctx)
		switch {
		case err == nil && b.otherDigest:
			other = b
		case err == nil && other != nil:
			opt.log("building on the %s and not on the %s: %s (--builder docker:// builds there anyway)", step.what, other, whyOtherDigest)
			return b, other.Close()
		case err == nil:
			opt.log("building on the %s", step.what)
			return b, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("look for a builder: %w", context.Cause(ctx))
		default:
			tried = append(tried, Attempt{What: step.what, Err: err})
		}
	}
	if other != nil {
		opt.warnOfDigest(other)
		return other, nil
	}
	return nil, &NotFoundError{Tried: tried}
}

// whyOtherDigest is the warning about a builder with otherDigest.
const whyOtherDigest = "it has Docker's older image store, which gives images a different digest than every other builder"

func (o Options) warnOfDigest(b *Builder) {
	o.log("WARNING: building on the %s: %s, and unpacks their bases; for the same digest enable its containerd image store, or name a buildkitd with --builder", b, whyOtherDigest)
}

// named connects to the builder that the user named.
func named(ctx context.Context, address string, opt Options) (*Builder, error) {
	if u, err := url.Parse(address); err == nil {
		switch u.Scheme {
		case "docker":
			b, err := dockerEngine(ctx, opt.dockerEndpoint(), connectTimeout)
			if err == nil && b.otherDigest {
				opt.warnOfDigest(b)
			}
			return b, err
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
			return connect(ctx, address, TLS{}, discoverTimeout, client.WithContextDialer(dialTrusted))
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
		step{"Docker engine " + credentials.Mask(docker.name), func(ctx context.Context) (*Builder, error) {
			return dockerEngine(ctx, docker, discoverTimeout)
		}},
		step{"private buildkitd", func(ctx context.Context) (*Builder, error) {
			return startPrivate(ctx, opt)
		}},
	)
}

// dialTrusted connects to a Unix socket that the user did not name.
func dialTrusted(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", strings.TrimPrefix(address, "unix://"))
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// rootlessAddress returns the address of a rootless buildkitd (appdefaults.UserAddress with our
// environment), or "".
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
	// The words around the operating system's when a connection breaks off.
	brokenWrapping = regexp.MustCompile(`^.*(?:error reading from server|error reading server preface|failed to write client preface|failed to list workers: Unavailable): (?:(?:read|write) \S+ \S+: (?:(?:read|write): )?)?`)
)

// reason returns err without gRPC's layers of "connection error: desc = …", which hide the
// operating system's message.
func reason(err error) error {
	text := err.Error()
	if m := grpcWrapping.FindStringSubmatch(text); m != nil {
		text = dialWrapping.ReplaceAllString(strings.ReplaceAll(m[1], `\"`, `"`), "")
	}
	if text = brokenWrapping.ReplaceAllString(text, ""); text == "EOF" {
		text = "it closed the connection"
	}
	return &reasonError{text, err}
}

type reasonError struct {
	text string
	err  error
}

func (e *reasonError) Error() string { return e.text }
func (e *reasonError) Unwrap() error { return e.err }
