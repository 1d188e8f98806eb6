// A registry that is asked too much.

package testenv

import (
	"maps"
	"net/http"
	"net/http/httptest"
)

// overload answers a tenth of the requests as a registry does that is asked too much: with 429,
// with 503, or by closing the connection, before the request was done or after. The others go on to
// next. As with [breaker.serve], the seed, the request, and how often it was sent decide.
func (b *breaker) overload(next http.HandlerFunc, w http.ResponseWriter, req *http.Request) {
	switch b.next(req, 40, 4) {
	case 0:
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "too many requests")
	case 1:
		writeError(w, http.StatusServiceUnavailable, "UNAVAILABLE", "try again later")
	case 2:
		panic(http.ErrAbortHandler) // closes the connection
	case 3:
		answer := httptest.NewRecorder()
		next(answer, req)
		if answer.Code == http.StatusCreated {
			b.lose(req)
		}
		panic(http.ErrAbortHandler)
	default:
		next(w, req)
	}
}

// lose records that a blob or a manifest was accepted, and that the client does not know.
func (b *breaker) lose(req *http.Request) {
	repository, kind, rest := splitPath(req.URL.Path)
	what := repository + ":" + rest
	if kind == "blobs" {
		what = repository + "@" + req.URL.Query().Get("digest")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost == nil {
		b.lost = map[string]int{}
	}
	b.lost[what]++
}

// Lost returns how often each blob and manifest was accepted without the client getting to know, in
// the form of [Registry.Accepted].
func (f *Front) Lost() map[string]int {
	f.breaker.mu.Lock()
	defer f.breaker.mu.Unlock()
	return maps.Clone(f.breaker.lost)
}
