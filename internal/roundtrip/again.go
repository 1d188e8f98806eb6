package roundtrip

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxTries is how often a request is sent before its error counts.
	maxTries = 4
	// maxRetryAfter is the longest wait that a server may ask for; one that wants more is not
	// waited for.
	maxRetryAfter = time.Minute
)

// Again calls send, which sends one request and reads its answer, until it succeeds: once more
// after a connection or a body that broke off, and after a status that says to come back, four
// times at most. It returns what the last call returned. A server that asks for a time to wait gets
// it.
func Again(ctx context.Context, send func() (*http.Response, error)) (*http.Response, error) {
	pause := time.Second
	for try := 1; ; try++ {
		res, err := send()
		wait, again := pause, transient(err)
		if err == nil {
			wait, again = retryAfter(res, pause)
		}
		if !again || try == maxTries || ctx.Err() != nil {
			return res, err
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// transient reports whether an error may be gone at the next try. A host that refuses connections
// is down.
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

// retryAfter reports whether a status may be another at the next try, and when that should be:
// after the pause, or when the answer says
// (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
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
