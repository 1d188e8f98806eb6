package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/internal/printer"
)

const (
	// DefaultSilence is how long a registry may send nothing. Those that are busy or restarting answer again sooner.
	DefaultSilence = time.Minute
	// documentTime bounds the reading of one manifest or config, however evenly its bytes come.
	documentTime = 5 * time.Minute
	// maxDocument is the size in bytes that a manifest or an image config may have. Most registries take 4 MiB.
	maxDocument = 8 << 20
	// maxTries is how often a request is sent before its error counts.
	maxTries = 4
	// maxRetryAfter is the longest wait that a registry may ask for; one that wants more is not waited for.
	maxRetryAfter = time.Minute
)

// StalledError says that a host did not answer in time.
type StalledError struct {
	Host  string
	Limit time.Duration
	Whole bool // it was sending all along, and the answer was still not complete
}

func (e *StalledError) Error() string {
	if e.Whole {
		return fmt.Sprintf("%s was still sending a small answer after %s", e.Host, e.Limit)
	}
	return fmt.Sprintf("%s sent nothing for %s", e.Host, e.Limit)
}

// documents is the transport for manifests, configs and tokens. It reads each answer whole, so that one that breaks off
// can be asked for again, and no more of it than a document may have.
type documents struct{ streams }

// RoundTrip sends a request that changes nothing again when it may succeed then. An answer that asks for a time to wait
// gets it.
func (t documents) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return t.streams.RoundTrip(req)
	}
	pause := time.Second
	for try := 1; ; try++ {
		res, err := t.read(req)
		wait, again := pause, transient(err)
		if err == nil {
			wait, again = retryAfter(res, pause)
		}
		if !again || try == maxTries || req.Context().Err() != nil {
			return res, err
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

func (t documents) read(req *http.Request) (_ *http.Response, err error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), documentTime, &StalledError{req.URL.Host, documentTime, true})
	defer cancel()
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

// streams is the transport for layers. It ends a request when no byte moves in either direction for too long.
type streams struct {
	inner   http.RoundTripper
	silence time.Duration
}

func newStreams(silence time.Duration) streams { return streams{remote.DefaultTransport, silence} }

// RoundTrip starts the clock, which every byte of either body sets back. What it sends to log in is a secret, should the
// answer show it.
func (t streams) RoundTrip(req *http.Request) (*http.Response, error) {
	printer.FromContext(req.Context()).AddAuthorization(req.Header.Get("Authorization"))
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

// body is a request's or an answer's body that says when bytes of it move.
type body struct {
	io.ReadCloser
	moved  func()
	ctx    context.Context // of the request; nil for a request's body
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

// stalled returns the StalledError that ended ctx, or err where none did.
func stalled(ctx context.Context, err error) error {
	var e *StalledError
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return err
}

// transient reports whether an error may be gone at the next try. A host that refuses connections is down.
func transient(err error) bool {
	if err == nil {
		return false
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary
	}
	// net/http's HTTP/2 errors have no types of their own.
	return strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}

// retryAfter reports whether a status may be another at the next try, and when that should be: after the pause, or when
// the answer says (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
func retryAfter(res *http.Response, pause time.Duration) (time.Duration, bool) {
	switch res.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	value := res.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		pause = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		pause = time.Until(date)
	}
	return pause, pause <= maxRetryAfter
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
