// A server for caches in Azure Blob Storage, on loopback.

package testenv

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// AzureBlobs keeps blobs in memory. It answers requests that name its account: those of BuildKit's
// cache. It does not check signatures. Its methods are safe for concurrent use.
type AzureBlobs struct {
	// URL is the value for account_url.
	URL string

	account string
	server  *http.Server
	mu      sync.Mutex
	blobs   map[string][]byte // by CONTAINER/NAME; a container is there itself
	blocks  map[string][]byte
	refused []string
}

// StartAzureBlobs starts a server for an account.
func StartAzureBlobs(account string) (*AzureBlobs, error) {
	a := &AzureBlobs{account: account, blobs: map[string][]byte{}, blocks: map[string][]byte{}}
	a.server = &http.Server{Handler: a}
	address, err := serveLoopback(a.server, nil)
	a.URL = "http://" + address + "/" + account
	return a, err
}

// Close ends the server.
func (a *AzureBlobs) Close() error { return a.server.Close() }

// Blobs returns the number of blobs and containers.
func (a *AzureBlobs) Blobs() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.blobs)
}

// Refused returns the requests that were not made for the account.
func (a *AzureBlobs) Refused() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.refused...)
}

func (a *AzureBlobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	name, ok := strings.CutPrefix(r.URL.Path, "/"+a.account+"/")
	if !ok || !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey "+a.account+":") {
		a.refused = append(a.refused, r.Method+" "+r.URL.Path)
		refuseBlob(w, http.StatusForbidden, "AuthenticationFailed")
		return
	}
	query := r.URL.Query()
	blob, there := a.blobs[name]
	switch {
	case r.Method == http.MethodPut && query.Get("comp") == "block":
		a.blocks[name+" "+query.Get("blockid")] = body
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut && query.Get("comp") == "blocklist":
		a.join(w, name, body)
	case r.Method == http.MethodPut:
		a.blobs[name] = body
		w.WriteHeader(http.StatusCreated)
	case !there && query.Get("restype") == "container":
		refuseBlob(w, http.StatusNotFound, "ContainerNotFound")
	case !there:
		refuseBlob(w, http.StatusNotFound, "BlobNotFound")
	default:
		if part := r.Header.Get("X-Ms-Range"); part != "" {
			r.Header.Set("Range", part)
		}
		http.ServeContent(w, r, "", time.Now(), strings.NewReader(string(blob)))
	}
}

// join makes a blob of blocks.
func (a *AzureBlobs) join(w http.ResponseWriter, name string, list []byte) {
	var ids struct{ Latest []string }
	if err := xml.Unmarshal(list, &ids); err != nil {
		refuseBlob(w, http.StatusBadRequest, "InvalidXmlDocument")
		return
	}
	var blob []byte
	for _, id := range ids.Latest {
		blob = append(blob, a.blocks[name+" "+id]...)
		delete(a.blocks, name+" "+id)
	}
	a.blobs[name] = blob
	w.WriteHeader(http.StatusCreated)
}

func refuseBlob(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}
