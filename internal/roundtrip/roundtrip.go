// Package roundtrip has the transports for samforge's own HTTP requests. A request ends when no
// byte moves for too long, and is repeated when it breaks off.
package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/samforge/samforge/internal/printer"
)

// DefaultSilence is how long a registry, a download server or a builder may send nothing. Busy or
// restarting ones answer again sooner.
const DefaultSilence = time.Minute

// StalledError says that a host did not answer in time.
type StalledError struct {
	Host  string
	Limit time.Duration
	Whole bool // bytes kept coming, and the answer was still not complete
}

func (e *StalledError) Error() string {
	if e.Whole {
		return fmt.Sprintf("%s was still sending a small answer after %s", e.Host, e.Limit)
	}
	return fmt.Sprintf("%s sent nothing for %s", e.Host, e.Limit)
}

// stalled returns the StalledError that ended ctx, or err if there is none.
func stalled(ctx context.Context, err error) error {
	var e *StalledError
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return err
}

// Streams returns the transport for files of any size. It ends a request with a [*StalledError] if
// no byte moves in either direction for the duration silence; 0 waits for ever. It does not repeat
// a request: see [Again].
func Streams(inner http.RoundTripper, silence time.Duration) http.RoundTripper {
	return streams{inner, silence}
}

type streams struct {
	inner   http.RoundTripper
	silence time.Duration
}

// RoundTrip starts the clock, which every byte of either body resets. It records the request's
// credentials as secrets, because the answer may show them.
func (t streams) RoundTrip(req *http.Request) (*http.Response, error) {
	printer.FromContext(req.Context()).AddAuthorization(req.Header.Get("Authorization"))
	if t.silence == 0 {
		return t.inner.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	clock := time.AfterFunc(t.silence, func() { cancel(&StalledError{Host: req.URL.Host, Limit: t.silence}) })
	moved := func() { clock.Reset(t.silence) }
	watched := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		watched.Body = &body{ReadCloser: req.Body, moved: moved}
	}
	res, err := t.inner.RoundTrip(watched)
	if err != nil {
		clock.Stop()
		defer cancel(nil)
		return nil, stalled(ctx, err)
	}
	moved()
	res.Body = &body{ReadCloser: res.Body, moved: moved, ctx: ctx, closed: func() {
		clock.Stop()
		cancel(nil)
	}}
	return res, nil
}

// body is the body of a request or an answer. It reports when its bytes move.
type body struct {
	io.ReadCloser
	moved  func()
	ctx    context.Context // the context of the request; nil for a request's body
	closed func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.moved()
	}
	if err != nil && !errors.Is(err, io.EOF) && b.ctx != nil {
		err = stalled(b.ctx, err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	if b.closed != nil {
		b.closed()
	}
	return err
}
