package registry

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/samforge/samforge/internal/roundtrip"
)

// Login logs in to a registry, given by its host, or to an image's repository. It returns the user
// that the credentials name, or "" without credentials. It fails if the registry does not accept
// the credentials, or wants some and there are none.
func (c *Client) Login(ctx context.Context, target string) (user string, err error) {
	host, resource, scopes, err := parseAccess(target)
	if err != nil {
		return "", err
	}
	auth, err := c.keychain.ResolveContext(ctx, resource)
	if err != nil {
		return "", err
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return "", err
	}
	if auth != authn.Anonymous {
		user = cmp.Or(config.Username, "a token")
	}
	via, err := transport.NewWithContext(ctx, host, auth, c.documents(host), scopes)
	if err == nil {
		err = greeted(ctx, via, host)
	}
	switch {
	case Denied(err) && user == "":
		return "", &Error{Sentence: fmt.Sprintf("%s wants credentials, and there are none", host), Err: err}
	case Denied(err):
		return "", &Error{Sentence: fmt.Sprintf("%s does not accept the credentials of %s", host, user), Err: err}
	case err != nil:
		return "", fmt.Errorf("log in to %s: %w", host, explain(err, host.RegistryStr()+"/"))
	}
	return user, nil
}

// CheckTarget returns an error if target is neither the host of a registry nor an image.
func CheckTarget(target string) error {
	_, _, _, err := parseAccess(target)
	return err
}

// parseAccess returns the registry of a host or an image, and what to ask of it.
func parseAccess(target string) (name.Registry, authn.Resource, []string, error) {
	if host, err := name.NewRegistry(target); err == nil {
		return host, host, nil, nil
	}
	image, err := name.ParseReference(target)
	if err != nil {
		return name.Registry{}, nil, nil, invalid(target, err)
	}
	repository := image.Context()
	return repository.Registry, repository, []string{repository.Scope(transport.PullScope)}, nil
}

// greeted sends the request that every registry answers to those who are logged in: see
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
func greeted(ctx context.Context, via http.RoundTripper, host name.Registry) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, host.Scheme()+"://"+host.RegistryStr()+"/v2/", nil)
	if err != nil {
		return err
	}
	response, err := via.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return transport.CheckError(response, http.StatusOK)
}

// MayPush returns an error if an image may not be pushed to the repository of ref. It begins an
// upload, and cancels it.
func (c *Client) MayPush(ctx context.Context, ref string) error {
	image, err := name.ParseReference(ref)
	if err != nil {
		return invalid(ref, err)
	}
	via, err := c.login(ctx, image.Context(), image.Scope(transport.PushScope))
	if err == nil {
		_, err = beginUpload(ctx, via, image.Context(), nil)
	}
	return explain(err, ref)
}

// login returns a transport with the credentials for a repository, which may do what the scopes say.
func (c *Client) login(ctx context.Context, to name.Repository, scopes ...string) (http.RoundTripper, error) {
	auth, err := c.keychain.ResolveContext(ctx, to)
	if err != nil {
		return nil, err
	}
	return transport.NewWithContext(ctx, to.Registry, auth, c.documents(to.Registry), scopes)
}

// documents is the transport for everything of a registry but layers.
func (c *Client) documents(of name.Registry) http.RoundTripper {
	return roundtrip.Documents(c.transport(of), c.silence)
}
