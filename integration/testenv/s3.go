// A server for caches in Amazon S3, on loopback.

package testenv

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// S3 keeps objects in memory. It answers requests that are signed with its keys, for objects with the
// bucket in the path: those of BuildKit's cache. Its methods are safe for concurrent use.
type S3 struct {
	// URL is the value for endpoint_url.
	URL string

	keys    aws.Credentials
	region  string
	server  *http.Server
	mu      sync.Mutex
	objects map[string][]byte // by BUCKET/KEY
	parts   map[part][]byte
	refused []string
}

// part is one of an object that is not complete.
type part struct {
	name   string
	number int
}

// StartS3 starts a server.
func StartS3(keys aws.Credentials, region string) (*S3, error) {
	s := &S3{keys: keys, region: region, objects: map[string][]byte{}, parts: map[part][]byte{}}
	s.server = &http.Server{Handler: s}
	address, err := serveLoopback(s.server, nil)
	s.URL = "http://" + address
	return s, err
}

// Close ends the server.
func (s *S3) Close() error { return s.server.Close() }

// Objects returns the number of objects.
func (s *S3) Objects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.objects)
}

// Refused returns the requests that were not signed with the keys.
func (s *S3) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refused...)
}

func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.signed(r) {
		s.refused = append(s.refused, r.Method+" "+r.URL.Path)
		refuseS3(w, http.StatusForbidden, "SignatureDoesNotMatch")
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	query := r.URL.Query()
	object, there := s.objects[name]
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPut && query.Has("partNumber"):
		number, _ := strconv.Atoi(query.Get("partNumber"))
		s.parts[part{name, number}] = body
		w.Header().Set("ETag", `"1"`)
	case r.Method == http.MethodPost:
		for number := 1; s.parts[part{name, number}] != nil; number++ {
			s.objects[name] = append(s.objects[name], s.parts[part{name, number}]...)
			delete(s.parts, part{name, number})
		}
		fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		// BuildKit copies an object onto itself, so that its time is new.
		fmt.Fprint(w, `<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>`)
	case r.Method == http.MethodPut:
		s.objects[name] = body
		w.Header().Set("ETag", `"1"`)
	case !there:
		refuseS3(w, http.StatusNotFound, "NoSuchKey")
	default:
		http.ServeContent(w, r, "", time.Now(), strings.NewReader(string(object)))
	}
}

func refuseS3(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>the test says so</Message></Error>", code)
}

// signed signs a request again, and compares.
func (s *S3) signed(r *http.Request) bool {
	given := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(given, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		return false
	}
	again.ContentLength = max(r.ContentLength, 0)
	for name := range strings.SplitSeq(names, ";") {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	err = v4.NewSigner().SignHTTP(context.Background(), s.keys, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", s.region, at, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return err == nil && again.Header.Get("Authorization") == given
}
