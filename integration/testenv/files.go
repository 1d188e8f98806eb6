// A file server that stands in for vendors' download sites.

package testenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Files is an HTTP server on loopback. Its methods are safe for concurrent use.
type Files struct {
	url    string
	server *http.Server
	mu     sync.Mutex
	files  map[string]file
	hits   map[string]int
}

type file struct {
	data        []byte
	contentType string
}

// StartFiles starts an empty file server. The context limits only the start.
func StartFiles(ctx context.Context) (*Files, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a file server: %w", err)
	}
	f := &Files{url: "http://" + listener.Addr().String(), files: map[string]file{}, hits: map[string]int{}}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(listener) }()
	return f, nil
}

// Add serves data at path, and replaces what was there.
func (f *Files) Add(path string, data []byte) { f.put(path, file{data, "application/octet-stream"}) }

// AddHTML serves an error page with status 200 at path, as some sites do for
// files they do not have.
func (f *Files) AddHTML(path string) {
	page := "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>The page you asked for does not exist.</body></html>\n"
	f.put(path, file{[]byte(page), "text/html; charset=utf-8"})
}

func (f *Files) put(path string, content file) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files["/"+strings.TrimPrefix(path, "/")] = content
}

// URL returns the server's address without a slash at its end.
func (f *Files) URL() string { return f.url }

// Hits returns how many requests for path came since the last Reset, with any method, whether or
// not the file exists.
func (f *Files) Hits(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits["/"+strings.TrimPrefix(path, "/")]
}

// Reset clears the hits; the files stay.
func (f *Files) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hits)
}

// Close stops the server and cuts its connections.
func (f *Files) Close() error { return f.server.Close() }

func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	content, ok := f.files[r.URL.Path]
	f.hits[r.URL.Path]++
	f.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", content.contentType)
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(content.data)))
	http.ServeContent(w, r, "", epoch, bytes.NewReader(content.data))
}
