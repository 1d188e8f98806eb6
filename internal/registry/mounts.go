package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Mounts reports whether the registry mounts the layers of the image at from in the repository of
// to, with the credentials for to, as a builder asks for it: see "Mounting a blob from another
// repository" in the OCI distribution specification. It asks for a layer that both repositories
// have, so that nothing new is in to; known is false if there is none. It fails, with an error for
// which Denied is true, if the credentials may not read from or not push to to.
func (c *Client) Mounts(ctx context.Context, from, to string) (mounts, known bool, err error) {
	into, err := name.ParseReference(to)
	if err != nil {
		return false, false, invalid(to, err)
	}
	source, layers, err := c.layers(ctx, from, ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		return false, false, explain(err, from)
	}
	if source.Context().Registry != into.Context().Registry {
		return false, false, fmt.Errorf("%s and %s are in different registries", from, to)
	}
	via, err := c.login(ctx, into.Context(), into.Scope(transport.PushScope), source.Scope(transport.PullScope))
	if err != nil {
		return false, false, explain(err, to)
	}
	for n, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return false, false, err
		}
		if n == 0 {
			if _, err := hasBlob(ctx, via, source.Context(), digest.String()); err != nil {
				return false, false, explain(err, from)
			}
		}
		if there, err := hasBlob(ctx, via, into.Context(), digest.String()); err != nil || !there {
			continue
		}
		mounts, err := beginUpload(ctx, via, into.Context(), url.Values{"mount": {digest.String()}, "from": {source.Context().RepositoryStr()}})
		return mounts, err == nil, explain(err, to)
	}
	return false, false, nil
}

// hasBlob reports whether a repository has a blob.
func hasBlob(ctx context.Context, via http.RoundTripper, in name.Repository, digest string) (bool, error) {
	response, err := send(ctx, via, http.MethodHead, blobs(in, digest))
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	// A registry may keep its blobs at another place, for which it has the client ask there.
	return true, transport.CheckError(response, http.StatusOK, http.StatusTemporaryRedirect, http.StatusFound)
}

// beginUpload begins an upload to a repository and cancels it. It reports whether the registry
// mounted the blob that the query names, for which no upload begins.
func beginUpload(ctx context.Context, via http.RoundTripper, to name.Repository, query url.Values) (mounted bool, err error) {
	address := blobs(to, "uploads/")
	address.RawQuery = query.Encode()
	response, err := send(ctx, via, http.MethodPost, address)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if err := transport.CheckError(response, http.StatusCreated, http.StatusAccepted); err != nil {
		return false, err
	}
	if response.StatusCode == http.StatusCreated {
		return true, nil
	}
	// It would end by itself, so an error does not matter.
	if upload, err := address.Parse(response.Header.Get("Location")); err == nil {
		if cancelled, err := send(ctx, via, http.MethodDelete, upload); err == nil {
			_ = cancelled.Body.Close()
		}
	}
	return false, nil
}

// blobs returns an address below the blobs of a repository.
func blobs(of name.Repository, path string) *url.URL {
	return &url.URL{Scheme: of.Scheme(), Host: of.RegistryStr(), Path: "/v2/" + of.RepositoryStr() + "/blobs/" + path}
}

func send(ctx context.Context, via http.RoundTripper, method string, to *url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, to.String(), nil)
	if err != nil {
		return nil, err
	}
	return via.RoundTrip(request)
}
