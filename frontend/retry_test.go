package frontend

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
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
		"after two":                 {[]error{reset, errors.New("unexpected EOF")}, 3, 3 * time.Second, nil},
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
