package registry

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// mountable starts a registry with an image of four layers. If it mounts, it answers a mount
// request with 201; otherwise it wants the bytes. queries returns the queries of requests to the
// repository "to".
func mountable(t *testing.T, mounts bool) (host string, layers int, queries func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	host = serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v2/ci/to/") {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.URL.RawQuery)
		switch {
		case r.Method == http.MethodHead: // the registry below finds a blob in any repository
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost && mounts:
			w.WriteHeader(http.StatusCreated)
		default:
			return false
		}
		return true
	})
	image, err := random.Image(64, 4)
	if err != nil {
		t.Fatal(err)
	}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustParse(t, host+"/ci/from:1"), image); err != nil {
		t.Fatal(err)
	}
	return host, 4, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

var amd64 = ocispecs.Platform{OS: "linux", Architecture: "amd64"}

func TestMountNamesTheRepositoryThatHasTheLayers(t *testing.T) {
	t.Parallel()
	host, layers, queries := mountable(t, true)
	if err := testClient().Mount(t.Context(), host+"/ci/from:1", amd64, host+"/ci/to"); err != nil {
		t.Fatal(err)
	}
	posts := 0
	for _, q := range queries() {
		switch {
		case strings.HasPrefix(q, "POST ") && strings.Contains(q, "from=ci%2Ffrom") && strings.Contains(q, "mount=sha256"):
			posts++
		case !strings.HasPrefix(q, "HEAD "):
			t.Errorf("unexpected request %s", q)
		}
	}
	if posts != layers {
		t.Errorf("%d layers were mounted, want %d: %q", posts, layers, queries())
	}
}

func TestMountSendsNothing(t *testing.T) {
	t.Parallel()
	host, _, queries := mountable(t, false)
	err := testClient().Mount(t.Context(), host+"/ci/from:1", amd64, host+"/ci/to")
	if err == nil || !strings.Contains(err.Error(), "the registry wants the bytes") {
		t.Errorf("got %v", err)
	}
	posts := 0
	for _, q := range queries() {
		switch method, _, _ := strings.Cut(q, " "); method {
		case http.MethodPost:
			posts++
		case http.MethodHead:
		default:
			t.Errorf("unexpected request %s", q)
		}
	}
	if posts != 1 {
		t.Errorf("the registry was asked %d times, want once: %q", posts, queries())
	}
}

// Upload sends the layers that the repository lacks, from a file or from another repository,
// without trying to mount them.
func TestUploadSendsWhatIsMissing(t *testing.T) {
	t.Parallel()
	host, _, queries := mountable(t, false)
	image, err := remote.Image(mustParse(t, host+"/ci/from:1"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var given []Layer
	for i, l := range manifest.Layers {
		layer := Layer{Descriptor: ocispecs.Descriptor{MediaType: string(l.MediaType), Digest: digest.Digest(l.Digest.String()), Size: l.Size}}
		if i%2 == 0 {
			layer.Open = layers[i].Compressed
		} else {
			layer.From = host + "/ci/from"
		}
		given = append(given, layer)
	}
	if n, err := testClient().Upload(t.Context(), given, host+"/ci/to"); n != len(given) || err != nil {
		t.Errorf("%d layers were uploaded, want %d: %v", n, len(given), err)
	}
	puts := 0
	for _, q := range queries() {
		if strings.Contains(q, "mount") {
			t.Errorf("a mount was requested: %s", q)
		}
		if strings.HasPrefix(q, "PUT ") {
			puts++
		}
	}
	if puts != len(given) {
		t.Errorf("%d uploads were finished, want %d: %q", puts, len(given), queries())
	}
}

func TestMountOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	host, _, _ := mountable(t, true)
	arm64 := ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	for name, err := range map[string]error{
		"no such image":    testClient().Mount(t.Context(), host+"/ci/none:1", amd64, host+"/ci/to"),
		"no such platform": testClient().Mount(t.Context(), host+"/ci/from:1", arm64, host+"/ci/to"),
		"no reference":     testClient().Mount(t.Context(), "Not A Reference", amd64, host+"/ci/to"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A tag that may not be moved is no error for the image that it points at.
func TestPushToATagThatMayNotBeMoved(t *testing.T) {
	var immutable bool
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !immutable || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/manifests/1") {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors": [{"code": "ImageTagAlreadyExistsException", "message": "words of next year"}]}`)
		return true
	})
	ref := host + "/ci/app:1"
	var images []v1.Image
	for range 2 {
		image, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, image)
	}
	if err := remote.Write(mustParse(t, ref), images[0]); err != nil {
		t.Fatal(err)
	}
	immutable = true
	if _, err := testClient().Push(t.Context(), images[0], ref); err != nil {
		t.Errorf("the same image: %v", err)
	}
	if _, err := testClient().Push(t.Context(), images[1], ref); err == nil || !strings.Contains(err.Error(), ref+" already exists with another image") {
		t.Errorf("another image: %v", err)
	}
}

// A push that meets a busy registry, or a connection that breaks off, is sent again; one that is
// denied is not.
func TestPushIsTriedAgain(t *testing.T) {
	t.Parallel()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	// go-containerregistry sends a request three times by itself.
	for name, c := range map[string]struct {
		status, tries int // 0 breaks the connection off
		refuse        int32
		ok            bool
	}{
		"busy":        {http.StatusTooManyRequests, 2, 3, true},
		"broken off":  {0, 2, 3, true},
		"only once":   {http.StatusTooManyRequests, 1, 3, false},
		"not allowed": {http.StatusForbidden, 3, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var refused atomic.Int32
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") || refused.Load() >= c.refuse {
					return false
				}
				refused.Add(1)
				if c.status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(c.status)
				return true
			})
			client := testClient()
			client.Tries = c.tries
			_, err := client.Push(t.Context(), image, host+"/ci/app:1")
			if (err == nil) != c.ok || refused.Load() != c.refuse {
				t.Errorf("got %v after %d refusals", err, refused.Load())
			}
		})
	}
}
