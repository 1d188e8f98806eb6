package registry

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
	if Denied(err) || notFound(err) {
		return explain(err, ref)
	}
	return nil
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
