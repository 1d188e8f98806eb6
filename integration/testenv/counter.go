// What was fetched from a registry and what was sent to it.

package testenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Pull is a blob that was fetched (GET answered 200, 206 or 307) from a repository.
type Pull struct {
	Repository string // without the registry's address, such as ecr/sam/build-nodejs22.x
	Digest     string
	Kind       string // "layer" or "config"; "" if no manifest seen so far names it
	Count      int    // requests
	Bytes      int64  // sent to clients so far
}

// Stats counts the other requests.
type Stats struct {
	ManifestGets  int
	ManifestHeads int
	ManifestPuts  int // accepted
	BlobHeads     int
	Uploads       int   // blobs that were accepted after their bytes were sent
	UploadedBytes int64 // blob bytes that clients sent, also of uploads that failed
	Mounts        int   // blobs that were accepted from another repository without their bytes
}

// Upload is a blob that was accepted after its bytes were sent.
type Upload struct {
	Repository, Digest string
	// Began is when the registry agreed to it, and Accepted when it had all.
	Began, Accepted time.Time
}

type pullKey struct{ repository, digest string }

type counter struct {
	mu      sync.Mutex
	pulls   map[pullKey]*Pull
	puts    map[string]int       // of manifests that were accepted, by REPOSITORY:TAG
	began   map[string]time.Time // by the registry's name of an upload
	uploads []Upload
	stats   Stats             // without Uploads
	kinds   map[string]string // digest -> Kind, from the manifests that went by
}

func newCounter() *counter {
	return &counter{pulls: map[pullKey]*Pull{}, puts: map[string]int{}, began: map[string]time.Time{}, kinds: map[string]string{}}
}

// splitPath splits /v2/<repository>/{manifests,blobs}/<rest>.
func splitPath(path string) (repository, kind, rest string) {
	path = strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"manifests", "blobs"} {
		if i := strings.LastIndex(path, "/"+kind+"/"); i > 0 {
			return path[:i], kind, path[i+len(kind)+2:]
		}
	}
	return "", "", ""
}

// request handles a request on its way to the registry.
func (c *counter) request(req *http.Request) {
	_, kind, rest := splitPath(req.URL.Path)
	if req.Body == nil || req.Body == http.NoBody {
		return
	}
	switch {
	case kind == "blobs" && strings.HasPrefix(rest, "uploads"):
		req.Body = &countedBody{ReadCloser: req.Body, count: func(n int) { c.add(func() { c.stats.UploadedBytes += int64(n) }) }}
	case kind == "manifests" && req.Method == http.MethodPut:
		req.Body = c.sniff(req.Body)
	}
}

// response handles an answer on its way to the client.
func (c *counter) response(res *http.Response) error {
	req := res.Request
	repository, kind, rest := splitPath(req.URL.Path)
	created := res.StatusCode == http.StatusCreated
	upload := kind == "blobs" && strings.HasPrefix(rest, "uploads")
	switch query := req.URL.Query(); {
	case kind == "manifests" && req.Method == http.MethodGet:
		c.add(func() { c.stats.ManifestGets++ })
		res.Body = c.sniff(res.Body)
	case kind == "manifests" && req.Method == http.MethodHead:
		c.add(func() { c.stats.ManifestHeads++ })
	case kind == "manifests" && req.Method == http.MethodPut && created:
		c.add(func() {
			c.stats.ManifestPuts++
			c.puts[repository+":"+rest]++
		})
	case upload && req.Method == http.MethodPost && created && query.Has("mount"):
		c.add(func() { c.stats.Mounts++ })
	case upload && req.Method == http.MethodPost && res.StatusCode == http.StatusAccepted:
		if location, err := res.Location(); err == nil {
			c.add(func() { c.began[path.Base(location.Path)] = time.Now() })
		}
	case upload && created:
		c.add(func() {
			name := path.Base(req.URL.Path)
			c.uploads = append(c.uploads, Upload{repository, query.Get("digest"), c.began[name], time.Now()})
			delete(c.began, name)
		})
	case kind == "blobs" && req.Method == http.MethodHead:
		c.add(func() { c.stats.BlobHeads++ })
	case kind == "blobs" && req.Method == http.MethodGet && !upload:
		switch res.StatusCode {
		case http.StatusOK, http.StatusPartialContent, http.StatusTemporaryRedirect:
			res.Body = c.pulled(pullKey{repository, rest}, res.Body)
		}
	}
	return nil
}

func (c *counter) pulled(key pullKey, body io.ReadCloser) io.ReadCloser {
	c.mu.Lock()
	defer c.mu.Unlock()
	pull := c.pulls[key]
	if pull == nil {
		pull = &Pull{Repository: key.repository, Digest: key.digest}
		c.pulls[key] = pull
	}
	pull.Count++
	return &countedBody{ReadCloser: body, count: func(n int) { c.add(func() { pull.Bytes += int64(n) }) }}
}

func (c *counter) add(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// sniff reads a manifest and passes it on.
func (c *counter) sniff(body io.ReadCloser) io.ReadCloser {
	data, err := io.ReadAll(body)
	body.Close()
	c.learn(data)
	if err != nil {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data), failingReader{err}))
	}
	return io.NopCloser(bytes.NewReader(data))
}

// learn remembers which blobs a manifest calls a config and which layers.
func (c *counter) learn(data []byte) {
	var manifest v1.Manifest
	if json.Unmarshal(data, &manifest) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if manifest.Config.Digest.Hex != "" {
		c.kinds[manifest.Config.Digest.String()] = "config"
	}
	for _, layer := range manifest.Layers {
		c.kinds[layer.Digest.String()] = "layer"
	}
}

// Reset clears the counts.
func (r *Registry) Reset() {
	r.counter.add(func() {
		r.counter.pulls = map[pullKey]*Pull{}
		r.counter.puts = map[string]int{}
		r.counter.uploads = nil
		r.counter.stats = Stats{}
	})
}

// Stats returns the counts since the last Reset.
func (r *Registry) Stats() Stats {
	r.counter.mu.Lock()
	defer r.counter.mu.Unlock()
	stats := r.counter.stats
	stats.Uploads = len(r.counter.uploads)
	return stats
}

// Accepted returns how often each blob was accepted after its bytes were sent, as
// REPOSITORY@DIGEST, and each manifest, as REPOSITORY:TAG, since the last Reset.
func (r *Registry) Accepted() map[string]int {
	r.counter.mu.Lock()
	defer r.counter.mu.Unlock()
	accepted := maps.Clone(r.counter.puts)
	for _, u := range r.counter.uploads {
		accepted[u.Repository+"@"+u.Digest]++
	}
	return accepted
}

// Uploads returns the blobs that were accepted after their bytes were sent, in the order of that,
// since the last Reset.
func (r *Registry) Uploads() []Upload {
	r.counter.mu.Lock()
	defer r.counter.mu.Unlock()
	return slices.Clone(r.counter.uploads)
}

// Pulls returns the blobs that were fetched since the last Reset, by repository
// and digest.
func (r *Registry) Pulls() []Pull {
	r.counter.mu.Lock()
	defer r.counter.mu.Unlock()
	var pulls []Pull
	for _, pull := range r.counter.pulls {
		one := *pull
		one.Kind = r.counter.kinds[one.Digest]
		pulls = append(pulls, one)
	}
	slices.SortFunc(pulls, func(a, b Pull) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest))
	})
	return pulls
}

// PulledFrom returns how many different layers of the image at ref were fetched since the last
// Reset, through any repository, and how many bytes of them were sent. An index stands for all its
// platforms.
func (r *Registry) PulledFrom(ctx context.Context, ref string) (layers int, bytes int64, err error) {
	image, err := r.ImageLayers(ctx, ref)
	if err != nil {
		return 0, 0, err
	}
	fetched := map[string]bool{}
	for _, pull := range r.Pulls() {
		if _, ok := image[pull.Digest]; ok {
			fetched[pull.Digest] = true
			bytes += pull.Bytes
		}
	}
	return len(fetched), bytes, nil
}

// UploadedOf returns how many different layers of the image at ref were accepted since the last
// Reset after their bytes were sent. An index stands for all its platforms.
func (r *Registry) UploadedOf(ctx context.Context, ref string) (layers int, err error) {
	image, err := r.ImageLayers(ctx, ref)
	if err != nil {
		return 0, err
	}
	uploaded := map[string]bool{}
	for _, u := range r.Uploads() {
		if _, ok := image[u.Digest]; ok {
			uploaded[u.Digest] = true
		}
	}
	return len(uploaded), nil
}

// ImageLayers returns the layers of the image at ref, as digest -> compressed size in bytes; for an
// index, those of all platforms. The look-up is not counted.
func (r *Registry) ImageLayers(ctx context.Context, ref string) (map[string]int64, error) {
	parsed, err := r.reference(ref)
	if err != nil {
		return nil, err
	}
	desc, err := remote.Get(parsed, r.remoteOptions(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("reading the layers of %s: %w", ref, err)
	}
	layers := map[string]int64{}
	if !desc.MediaType.IsIndex() {
		image, err := desc.Image()
		if err != nil {
			return nil, fmt.Errorf("reading the layers of %s: %w", ref, err)
		}
		return layers, addLayers(layers, image)
	}
	index, err := desc.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("reading the layers of %s: %w", ref, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the layers of %s: %w", ref, err)
	}
	for _, member := range manifest.Manifests {
		if !member.MediaType.IsImage() {
			continue
		}
		image, err := index.Image(member.Digest)
		if err == nil {
			err = addLayers(layers, image)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the layers of %s: %w", ref, err)
		}
	}
	return layers, nil
}

func addLayers(layers map[string]int64, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	for _, layer := range manifest.Layers {
		layers[layer.Digest.String()] = layer.Size
	}
	return nil
}

// countedBody counts the bytes that are read through it.
type countedBody struct {
	io.ReadCloser
	count func(n int)
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.count(n)
	}
	return n, err
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
