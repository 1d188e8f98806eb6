package roundtrip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// documentTime limits how long one manifest or config may take, even if its bytes arrive
	// steadily. It is at least five times the allowed silence of a host.
	documentTime = 5 * time.Minute
	// maxDocument is the maximum size in bytes of a manifest or an image config. Most registries
	// accept 4 MiB.
	maxDocument = 8 << 20
)

// Documents returns the transport for manifests, configs and tokens. It reads each answer whole, up
// to the maximum size of a document, so that it can send the request [Again] if the answer breaks
// off. silence is the same as for [Streams].
func Documents(inner http.RoundTripper, silence time.Duration) http.RoundTripper {
	return documents{streams{inner, silence}}
}

type documents struct{ streams }

// RoundTrip sends the request. If the request changes nothing on the server, it retries when that
// may succeed.
func (t documents) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return t.streams.RoundTrip(req)
	}
	return Again(req.Context(), func() (*http.Response, error) { return t.read(req) })
}

func (t documents) read(req *http.Request) (_ *http.Response, err error) {
	ctx := req.Context()
	if t.silence > 0 {
		limit := max(documentTime, 5*t.silence)
		limited, cancel := context.WithTimeoutCause(ctx, limit, &StalledError{req.URL.Host, limit, true})
		defer cancel()
		ctx = limited
	}
	res, err := t.streams.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, stalled(ctx, err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w", req.URL.Host, stalled(ctx, err))
	case len(body) > maxDocument:
		return nil, fmt.Errorf("%s sent more than %d MiB for %s, too much for a manifest or an image config", req.URL.Host, maxDocument>>20, req.URL.Path)
	}
	whole := *res
	whole.Body = io.NopCloser(bytes.NewReader(body))
	return &whole, nil
}

// Tokens returns the transport for requests for tokens. It is as that of [Documents], and repeats
// POST requests too: no harm is done by a token that nobody gets.
func Tokens(inner http.RoundTripper, silence time.Duration) http.RoundTripper {
	return tokens{documents{streams{inner, silence}}}
}

type tokens struct{ documents }

// RoundTrip sends the request, and again when that may succeed.
func (t tokens) RoundTrip(req *http.Request) (*http.Response, error) {
	return Again(req.Context(), func() (*http.Response, error) {
		one := req.Clone(req.Context())
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			one.Body = body
		}
		return t.read(one)
	})
}
