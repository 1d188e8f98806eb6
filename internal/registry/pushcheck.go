package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// RefusesPush returns an error if the registry says clearly that the credentials may not push to the
// repository of ref, or that there is no such repository. Any other answer, and none, is nil: the push
// itself will show. It begins an upload, and cancels it.
func (c *Client) RefusesPush(ctx context.Context, ref string) error {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return invalid(ref, err)
	}
	err = remote.CheckPushPermission(parsed, c.keychain, inContext{ctx, c.documents(parsed.Context().Registry)})
	if refused(err) {
		return explain(fmt.Errorf("failed to push %s: %w", ref, err), ref) // in the builder's words
	}
	return nil
}

// refused reports whether an error is the answer of a registry that takes no push, and not that of a
// proxy or of a server that does not know the request.
func refused(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	says := func(code transport.ErrorCode) bool {
		return slices.ContainsFunc(answer.Errors, func(e transport.Diagnostic) bool { return e.Code == code })
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return says(transport.DeniedErrorCode) || says(transport.UnauthorizedErrorCode)
	case http.StatusNotFound:
		return says(transport.NameUnknownErrorCode)
	}
	return false
}

// inContext ends requests with a context.
type inContext struct {
	ctx   context.Context
	inner http.RoundTripper
}

func (t inContext) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := t.ctx
	if r.Method == http.MethodDelete {
		ctx = context.WithoutCancel(ctx) // the upload is cancelled in any case
	}
	return t.inner.RoundTrip(r.WithContext(ctx))
}
