package frontend

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	digest "github.com/opencontainers/go-digest"
)

// flaky fails to resolve with each of its errors, and then succeeds.
type flaky struct {
	client.Client
	errs  []error
	asked int
}

func (f *flaky) ResolveImageConfig(context.Context, string, sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	f.asked++
	if f.asked <= len(f.errs) {
		return "", "", nil, f.errs[f.asked-1]
	}
	return "ref", digest.FromString("image"), []byte("{}"), nil
}

func TestAnImageIsResolvedAgain(t *testing.T) {
	t.Parallel()
	reset := errors.New(`failed to do request: Head "https://registry.example.com/v2/ci/app/manifests/1": read: connection reset by peer`)
	missing := errors.New("registry.example.com/ci/app:1: not found")
	for name, tc := range map[string]struct {
		errs  []error
		asked int
		took  time.Duration
		err   error
	}{
		"after a reset":             {[]error{reset}, 2, time.Second, nil},
		"after two":                 {[]error{reset, errors.New(`failed to copy: httpReadSeeker: failed open: unexpected EOF`)}, 3, 3 * time.Second, nil},
		"four times at most":        {[]error{reset, reset, reset, reset}, 4, 7 * time.Second, reset},
		"not one that is not there": {[]error{missing}, 1, 0, missing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &flaky{errs: tc.errs}
				start := time.Now()
				_, _, _, err := Patient(c).ResolveImageConfig(t.Context(), "registry.example.com/ci/app:1", sourceresolver.Opt{})
				if !errors.Is(err, tc.err) || c.asked != tc.asked || time.Since(start) != tc.took {
					t.Errorf("%v after %d tries and %s, want %v after %d and %s", err, c.asked, time.Since(start), tc.err, tc.asked, tc.took)
				}
			})
		})
	}
}

func TestBrokeOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`failed to do request: Head "https://r.example.com/v2/a/manifests/1": EOF`:                                                               true,
		`unexpected status from HEAD request to https://r.example.com/v2/a/manifests/1: 503 Service Unavailable`:                                 true,
		`failed to push r.example.com/a:1: failed to copy: write tcp 10.0.0.1:1->10.0.0.2:2: write: broken pipe`:                                 true,
		`Get "https://files.example.com/x": read tcp 10.0.0.1:1->10.0.0.2:2: read: connection reset by peer`:                                     true,
		`unexpected status from HEAD request to https://r.example.com/v2/a/manifests/1: 403 Forbidden`:                                           false,
		`failed to load cache key: invalid response status 503`:                                                                                  true,
		`unexpected status from HEAD request to https://r.example.com/v2/a/manifests/503: 404 Not Found`:                                         false,
		`failed to push r.example.com/a:1: unknown: blob upload unknown to registry - blob upload unknown`:                                       true,
		`failed to push r.example.com/a:1: unexpected status from HEAD request to https://r.example.com/v2/a/manifests/1: 429 Too Many Requests`: true,
		`failed to push r.example.com/a:1: failed to authorize: failed to fetch oauth token: toomanyrequests`:                                    true,
		`failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/a/manifests/1: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.`: false,
		`failed to push r.example.com/a:1: failed to do request: Head "https://r.example.com/v2/a/manifests/1": net/http: TLS handshake timeout`:                                                                                                     true,
		`r.example.com/a:503: not found`: false,
		`failed to do request: Head "https://r.example.com/v2/a/manifests/1": dial tcp: connect: connection refused`: false,
		`build.yaml:2:1: unexpected EOF`: false,
		`failed to do request: Head "https://r.example.com/v2/a/manifests/1": tls: failed to verify certificate: x509: unknown authority`: false,
	} {
		if got := BrokeOff(errors.New(text)); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	step := &gatewaypb.ExitError{ExitCode: 1, Err: errors.New(`process "curl https://example.com <<EOF" did not complete successfully: exit code: 1`)}
	if BrokeOff(step) {
		t.Error("a step that failed is tried again")
	}
}
