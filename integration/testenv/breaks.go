// A registry behind a proxy that breaks requests.

package testenv

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// breaker breaks some of the requests that go through a front. The seed, the request, and how often
// it was sent before decide whether and how, so a request succeeds sooner or later.
type breaker struct {
	seed   string
	mu     sync.Mutex
	asked  map[string]int
	broken int
	lost   map[string]int // see Front.Lost
}

// next decides what happens to a request, as a number below fates. Those below broken are the bad
// ones.
func (b *breaker) next(req *http.Request, fates, broken uint32) uint32 {
	repository, kind, rest := splitPath(req.URL.Path)
	if strings.HasPrefix(rest, "uploads/") {
		rest = "uploads" // the registry generates the rest
	}
	key := strings.Join([]string{req.Method, repository, kind, rest}, " ")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[key]++
	sum := fnv.New32a()
	fmt.Fprint(sum, b.seed, key, b.asked[key])
	fate := sum.Sum32() % fates
	if fate < broken {
		b.broken++
	}
	return fate
}

// serve answers a request through next: not at all, without returning the answer, with half of it,
// twice, or normally.
func (b *breaker) serve(next http.HandlerFunc, w http.ResponseWriter, req *http.Request) {
	switch b.next(req, 20, 5) {
	case 0: // reset
		panic(http.ErrAbortHandler)
	case 1: // dropped
		next(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	case 2:
		writeError(w, http.StatusServiceUnavailable, "UNAVAILABLE", "try again later")
	case 3: // truncated
		whole := httptest.NewRecorder()
		next(whole, req)
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		panic(http.ErrAbortHandler)
	case 4: // doubled
		if req.Body == nil || req.ContentLength == 0 {
			next(httptest.NewRecorder(), req)
		}
		next(w, req)
	default:
		next(w, req)
	}
}
