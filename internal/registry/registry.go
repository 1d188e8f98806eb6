// Package registry queries registries about images, and finds the credentials for them.
//
// A [Client] is for code without a builder: code that has a builder queries the builder instead.
// Every error of a Client has been through [Explain].
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/samforge/samforge/internal/roundtrip"
)

// Client queries registries. It uses TLS, and falls back to plain HTTP on loopback and private
// addresses. It logs in to a repository once. Its methods are safe for concurrent use.
type Client struct {
	// Tries is how often Push pushes an image at most; 0 means 3. Set it before the client is used.
	Tries int

	keychain *Keychain
	silence  time.Duration
	hosts    map[string]http.RoundTripper // those that are reached otherwise, see Reach
	pullers  sync.Map                     // func() (*remote.Puller, error) by registry
}

// NewClient returns a client that uses the credentials of the keychain. silence is how long a
// registry may send nothing; 0 waits for ever.
func NewClient(keychain *Keychain, silence time.Duration) *Client {
	return &Client{keychain: keychain, silence: silence}
}

// puller returns the puller for the documents of a registry.
func (c *Client) puller(of name.Registry) (*remote.Puller, error) {
	once, _ := c.pullers.LoadOrStore(of.RegistryStr(), sync.OnceValues(func() (*remote.Puller, error) {
		return remote.NewPuller(
			remote.WithAuthFromKeychain(c.keychain),
			remote.WithUserAgent(userAgent),
			remote.WithTransport(c.documents(of)),
			remote.WithRetryBackoff(remote.Backoff{Steps: 1}), // the transport retries
		)
	}))
	return once.(func() (*remote.Puller, error))()
}

// Keychain returns the credentials that the client uses.
func (c *Client) Keychain() *Keychain { return c.keychain }

// Streams returns the transport for other files of any size than layers.
func (c *Client) Streams() http.RoundTripper {
	return roundtrip.Streams(remote.DefaultTransport, c.silence)
}

const userAgent = "samforge"

// get reads the manifest or index that a reference points at.
func (c *Client) get(ctx context.Context, ref name.Reference) (*remote.Descriptor, error) {
	puller, err := c.puller(ref.Context().Registry)
	if err != nil {
		return nil, err
	}
	return puller.Get(ctx, ref)
}

// Digest returns the digest that ref points at. ok is false if the registry has no such tag or
// repository. It costs one HEAD request, which Docker Hub does not count as a pull, and also a GET
// if the registry does not answer HEAD.
func (c *Client) Digest(ctx context.Context, ref string) (digest string, ok bool, err error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", false, invalid(ref, err)
	}
	puller, err := c.puller(parsed.Context().Registry)
	if err != nil {
		return "", false, err
	}
	found, err := puller.Head(ctx, parsed)
	if err != nil && answered(err) && !notFound(err) {
		var read *remote.Descriptor
		if read, err = puller.Get(ctx, parsed); err == nil {
			found = &v1.Descriptor{Digest: read.Digest}
		}
	}
	if notFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up %s: %w", ref, explain(err, ref))
	}
	return found.Digest.String(), true, nil
}

// HasBlob reports whether the repository of ref has a blob. It costs one HEAD request, in addition
// to those of the login.
func (c *Client) HasBlob(ctx context.Context, ref, blob string) (bool, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return false, invalid(ref, err)
	}
	puller, err := c.puller(parsed.Context().Registry)
	if err != nil {
		return false, err
	}
	layer, err := puller.Layer(ctx, parsed.Context().Digest(blob))
	if err != nil {
		return false, explain(err, ref)
	}
	ok, err := partial.Exists(layer)
	if status(err) == http.StatusMethodNotAllowed {
		return false, nil // a builder does not find it there either
	}
	return ok, explain(err, ref)
}

// answered reports whether an error is about a registry's answer, not about reaching the registry.
func answered(err error) bool {
	var unreachable *url.Error
	return !errors.As(err, &unreachable) && status(err) != http.StatusTooManyRequests
}

// notFound reports whether the registry says that there is no such manifest (MANIFEST_UNKNOWN) or
// repository (NAME_UNKNOWN). The answer to a HEAD request has only the status.
func notFound(err error) bool { return status(err) == http.StatusNotFound }

// Denied reports whether err says that the credentials do not allow the request.
func Denied(err error) bool {
	return status(err) == http.StatusUnauthorized || status(err) == http.StatusForbidden
}

// status returns the HTTP status of a registry's error, or 0 if err is not one.
func status(err error) int {
	var e *transport.Error
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

// Repository returns the repository of a reference, with its registry, under the registry's own
// name for it. It returns ref itself if that is no reference.
func Repository(ref string) string {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return ref
	}
	return parsed.Context().Name()
}

// Same reports whether two references are in the same registry, so that blobs can be mounted from
// one repository in the other.
func Same(a, b string) bool {
	x, errX := name.ParseReference(a)
	y, errY := name.ParseReference(b)
	return errX == nil && errY == nil && x.Context().RegistryStr() == y.Context().RegistryStr()
}

func invalid(ref string, err error) error {
	return fmt.Errorf("%q is not an image reference: %w", ref, err)
}
