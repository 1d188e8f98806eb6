package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted answers each request with its next function, and with the last one from then on.
type scripted struct {
	answers []func(*http.Request) (*http.Response, error)
	asked   int
}

func (s *scripted) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := s.answers[min(s.asked, len(s.answers)-1)]
	s.asked++
	return answer(req)
}

func says(status int, header, body string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		return sends(status, header, strings.NewReader(body))(req)
	}
}

func sends(status int, header string, body io.Reader) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: req}
		if name, value, ok := strings.Cut(header, ": "); ok {
			res.Header.Set(name, value)
		}
		return res, nil
	}
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// silent never answers.
func silent(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// broken returns some bytes and then the error.
func broken(err error) io.Reader { return io.MultiReader(strings.NewReader("half"), failing{err}) }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// trickle returns one byte every ten seconds, until the context ends.
type trickle struct{ ctx context.Context }

func (t trickle) Read(p []byte) (int, error) {
	if err := Sleep(t.ctx, 10*time.Second); err != nil {
		return 0, err
	}
	return copy(p, "."), nil
}

func trickles(req *http.Request) (*http.Response, error) {
	return sends(http.StatusOK, "", trickle{req.Context()})(req)
}

func TestDocumentsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	whole := says(http.StatusOK, "", "whole")
	for name, tc := range map[string]struct {
		answers []func(*http.Request) (*http.Response, error)
		asked   int
		took    time.Duration
		want    string // the body, or what the error says
	}{
		"after a reset": {[]func(*http.Request) (*http.Response, error){fails(syscall.ECONNRESET), whole}, 2, time.Second, "whole"},
		"when the body breaks off": {[]func(*http.Request) (*http.Response, error){
			sends(http.StatusOK, "", broken(io.ErrUnexpectedEOF)), sends(http.StatusOK, "", broken(syscall.ECONNRESET)), whole}, 3, 3 * time.Second, "whole"},
		"after 503":                          {[]func(*http.Request) (*http.Response, error){says(http.StatusServiceUnavailable, "", "busy"), whole}, 2, time.Second, "whole"},
		"when Retry-After says":              {[]func(*http.Request) (*http.Response, error){says(http.StatusTooManyRequests, "Retry-After: 17", ""), whole}, 2, 17 * time.Second, "whole"},
		"not when that is too far away":      {[]func(*http.Request) (*http.Response, error){says(http.StatusTooManyRequests, "Retry-After: 3600", "limit")}, 1, 0, "limit"},
		"four times at most":                 {[]func(*http.Request) (*http.Response, error){fails(io.EOF)}, 4, 7 * time.Second, "EOF"},
		"not after 403":                      {[]func(*http.Request) (*http.Response, error){says(http.StatusForbidden, "", "denied")}, 1, 0, "denied"},
		"not when nobody listens":            {[]func(*http.Request) (*http.Response, error){fails(syscall.ECONNREFUSED)}, 1, 0, "refused"},
		"not when there is no answer at all": {[]func(*http.Request) (*http.Response, error){silent}, 1, time.Minute, "registry.example.com sent nothing for 1m0s"},
		"not when it trickles": {[]func(*http.Request) (*http.Response, error){trickles}, 1, 5 * time.Minute,
			"registry.example.com was still sending a small answer after 5m0s"},
		"not when it is too large": {[]func(*http.Request) (*http.Response, error){sends(http.StatusOK, "", endless{})}, 1, 0, "registry.example.com sent more than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := &scripted{answers: tc.answers}
				client := &http.Client{Transport: Documents(script, DefaultSilence)}
				start := time.Now()
				got := read(t, client)
				if !strings.Contains(got, tc.want) || script.asked != tc.asked || time.Since(start) != tc.took {
					t.Errorf("got %q after %d requests and %s, want %q after %d and %s", got, script.asked, time.Since(start), tc.want, tc.asked, tc.took)
				}
			})
		})
	}
}

// A request for a token is sent again with its body, as the server says.
func TestTokensAreAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		answers := []func(*http.Request) (*http.Response, error){
			says(http.StatusTooManyRequests, "Retry-After: 3", ""), fails(io.EOF), says(http.StatusOK, "", "token"),
		}
		client := &http.Client{Transport: Tokens(roundTrips(func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return nil, err
			}
			bodies = append(bodies, string(body))
			return answers[len(bodies)-1](req)
		}), DefaultSilence)}
		start := time.Now()
		res, err := client.Post("https://registry.example.com/token", "text/plain", strings.NewReader("who"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if string(got) != "token" || err != nil || strings.Join(bodies, " ") != "who who who" || time.Since(start) != 5*time.Second {
			t.Errorf("got %q, %v after %q and %s", got, err, bodies, time.Since(start))
		}
	})
}

// The answer is returned if there is no time left to wait for another one.
func TestNothingIsAskedForAgainTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		res, err := Again(ctx, func() (*http.Response, error) {
			return says(http.StatusTooManyRequests, "Retry-After: 11", "")(nil)
		})
		if err != nil || res.StatusCode != http.StatusTooManyRequests || time.Since(start) != 0 {
			t.Errorf("got %v, %v after %s", res, err, time.Since(start))
		}
	})
}

type roundTrips func(*http.Request) (*http.Response, error)

func (f roundTrips) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// endless returns bytes for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// read returns the body of an answer, or the error.
func read(t *testing.T, client *http.Client) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.example.com/v2/ci/app/manifests/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// A layer may take any time while its bytes move. When they stop, the error names the host.
func TestLayersEndWhenNothingMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: Streams(&scripted{answers: []func(*http.Request) (*http.Response, error){
			func(req *http.Request) (*http.Response, error) {
				return sends(http.StatusOK, "", io.MultiReader(io.LimitReader(trickle{req.Context()}, 100), waiting{req.Context()}))(req)
			},
		}}, time.Minute)}
		start := time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.example.com/v2/ci/app/blobs/sha256:1", nil)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		var stalled *StalledError
		if !errors.As(err, &stalled) || stalled.Host != "registry.example.com" || len(body) != 100 || time.Since(start) != 1000*time.Second+time.Minute {
			t.Errorf("%d bytes and %v after %s, want 100 bytes in 1000 s and the end a minute later", len(body), err, time.Since(start))
		}
	})
}

// waiting returns nothing until the context ends.
type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, fmt.Errorf("read: %w", w.ctx.Err())
}
