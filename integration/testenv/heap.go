// What a buildkitd holds in memory.

package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
)

// Heap is what a buildkitd holds after a garbage collection.
type Heap struct {
	Bytes      int64
	Goroutines int
}

var (
	heapAlloc       = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)
	goroutineNumber = regexp.MustCompile(`^goroutine profile: total (\d+)\n`)
)

func (b *Buildkitd) debugSocket() string { return b.dir.join("debug.sock") }

// Heap returns what buildkitd holds. It must have been started with Debug.
func (b *Buildkitd) Heap(ctx context.Context) (Heap, error) {
	var heap [2]int64
	for i, of := range []struct {
		page string
		find *regexp.Regexp
	}{{"heap?gc=1&debug=1", heapAlloc}, {"goroutine?debug=1", goroutineNumber}} {
		text, err := b.Profile(ctx, of.page)
		if err != nil {
			return Heap{}, err
		}
		found := of.find.FindStringSubmatch(text)
		if found == nil {
			return Heap{}, fmt.Errorf("buildkitd's %s does not say %s", of.page, of.find)
		}
		if heap[i], err = strconv.ParseInt(found[1], 10, 64); err != nil {
			return Heap{}, err
		}
	}
	return Heap{Bytes: heap[0], Goroutines: int(heap[1])}, nil
}

// Profile returns a page below /debug/pprof/, such as goroutine?debug=2.
func (b *Buildkitd) Profile(ctx context.Context, page string) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", b.debugSocket())
		},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://buildkitd/debug/pprof/"+page, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking buildkitd for %s: %w", page, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("asking buildkitd for %s: %s: %s", page, res.Status, text)
	}
	return string(text), err
}

// Memory returns the resident set of the registry's program in bytes.
func (r *Registry) Memory() int64 { return MemoryOf(r.process.cmd.Process.Pid, "VmRSS") }
