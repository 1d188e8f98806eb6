package builder

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

	// All connection helpers of BuildKit.
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer"
	_ "github.com/moby/buildkit/client/connhelper/kubepod"
	_ "github.com/moby/buildkit/client/connhelper/nerdctlcontainer"
	_ "github.com/moby/buildkit/client/connhelper/npipe"
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer"
	_ "github.com/moby/buildkit/client/connhelper/ssh"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/rootless"
)

// Kind says what sort of buildkitd a Builder uses.
type Kind string

// The kinds of Builder.
const (
	Remote  Kind = "buildkitd"         // a buildkitd that samforge did not start, on this machine or another
	Docker  Kind = "docker engine"     // the BuildKit inside dockerd
	Private Kind = "private buildkitd" // started by Find, stopped by Close
)

// connectTimeout limits the wait for the first answer of a builder that the user named. Ten seconds
// are enough for ssh and kubectl.
const connectTimeout = 10 * time.Second

// Builder is a connection to a buildkitd that has answered. The caller closes it.
type Builder struct {
	Address string
	Kind    Kind
	Workers []*client.WorkerInfo // never empty

	client      *client.Client
	dialSession session.Dialer
	otherDigest bool    // images get a digest that differs from other builders'
	daemon      *daemon // nil unless Private

	oneID *rootless.Reason // why a private buildkitd has only one user id; nil if it has more
}

// Close closes the connection, stops a private buildkitd and waits until it is gone. Close may be
// called twice.
func (b *Builder) Close() error {
	err := b.client.Close()
	if b.daemon != nil {
		b.daemon.stop()
	}
	return err
}

// String names the builder for messages.
func (b *Builder) String() string {
	return fmt.Sprintf("%s at %s", b.Kind, credentials.Mask(b.Address))
}

// connect returns a Builder for a buildkitd address once the buildkitd has answered.
func connect(ctx context.Context, address string, tls TLS, timeout time.Duration, opts ...client.ClientOpt) (*Builder, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "tcp" {
		secure, err := tls.clientOpts(address)
		if err != nil {
			return nil, err
		}
		opts = append(opts, secure...)
	}
	c, err := client.New(ctx, address, opts...)
	if err != nil {
		return nil, err
	}
	return answered(ctx, &Builder{Address: address, Kind: Remote, client: c, dialSession: c.Dialer()}, timeout)
}

// answered returns b when it lists at least one worker within timeout, and closes it otherwise.
func answered(ctx context.Context, b *Builder, timeout time.Duration) (*Builder, error) {
	workers, err := b.ping(ctx, timeout)
	if err != nil {
		b.client.Close()
		return nil, err
	}
	b.Workers = workers
	return b, nil
}

// ping lists the workers. Every build does that first, and every BuildKit answers it.
func (b *Builder) ping(ctx context.Context, timeout time.Duration) ([]*client.WorkerInfo, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	workers, err := b.client.ListWorkers(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, reason(err)
	case len(workers) == 0:
		return nil, errors.New("it answers but has no worker to build with")
	}
	return workers, nil
}
