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
	// maxTries is how often a request is sent before its error is returned.
	maxTries = 4
	// maxRetryAfter is the longest wait that a server may ask for. If it asks for more, the request
	// is not repeated.
	maxRetryAfter = time.Minute
)

// Again calls send, which sends one request and reads its answer, until it succeeds, at most four
// times. It tries again after a connection or a body that broke off, and after a status that asks
// to come back. It returns the result of the last call. If a server names a time to wait, Again
// waits that long, unless ctx ends before.
func Again(ctx context.Context, send func() (*http.Response, error)) (*http.Response, error) {
	pause := time.Second
	for try := 1; ; try++ {
		res, err := send()
		wait, again := pause, Transient(err)
		if err == nil {
			wait, again = retryAfter(res, pause)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			again = false // the answer says more than the end of the time would
		}
		if !again || try == maxTries || ctx.Err() != nil {
			return res, err
		}
		if err := Sleep(ctx, wait); err != nil {
			return nil, err
		}
		pause *= 2
	}
}

// Transient reports whether another try may not have the error of a request: its connection broke
// off. A host that refuses connections is down.
func Transient(err error) bool {
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
	// net/http's HTTP/2 errors do not have their own types.
	return strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}

// TransientStatus reports whether another try may not have the status.
func TransientStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reports whether another try may get another status, and how long to wait before it:
// pause, or the time in the answer (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
func retryAfter(res *http.Response, pause time.Duration) (time.Duration, bool) {
	if !TransientStatus(res.StatusCode) {
		return 0, false
	}
	value := res.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		const tooLong = maxRetryAfter/time.Second + 1 // more could be no duration
		pause = min(time.Duration(max(seconds, 0)), tooLong) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		pause = time.Until(date)
	}
	return pause, pause <= maxRetryAfter
}

// Sleep waits. It returns the cause of the end of ctx if that comes first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
