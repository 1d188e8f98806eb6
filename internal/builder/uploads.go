package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	controlapi "github.com/moby/buildkit/api/services/control"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// solved is a solve in the history of its builder.
type solved struct {
	builder *Builder
	ref     string
}

// Uploaded returns how many bytes of layers and configs the builders uploaded for these results. What
// a registry had already, or mounted from another repository, is not uploaded. BuildKit's progress
// does not tell: the requests are found in the traces that builders keep of their solves. An error
// says that a builder keeps none, or no longer has what it exported.
func Uploaded(ctx context.Context, results []Result) (total int64, err error) {
	var mu sync.Mutex
	uploads := map[string]digest.Digest{} // by their URLs
	sizes := map[digest.Digest]int64{}
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(8)
	for _, result := range results {
		for _, s := range result.Work.solves {
			asking.Go(func() error {
				found, err := s.uploads(ctx)
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(uploads, found)
				return err
			})
		}
		for _, r := range append([]Result{result}, result.After...) {
			manifests := slices.Concat(r.manifests, r.attestations)
			if len(manifests) == 0 {
				continue // perhaps it has no builder either
			}
			asking.Go(func() error {
				blobs, err := r.blobs(ctx, manifests)
				mu.Lock()
				defer mu.Unlock()
				for _, blob := range blobs {
					sizes[blob.Digest] = blob.Size
				}
				return err
			})
		}
	}
	err = asking.Wait()
	for _, dgst := range uploads {
		total += sizes[dgst]
	}
	return total, err
}

// uploads returns the blobs that a solve uploaded, by the URLs of their last requests.
func (s solved) uploads(ctx context.Context) (map[string]digest.Digest, error) {
	control := s.builder.client.ControlClient()
	// Without this the trace is there only seconds after the solve.
	if _, err := control.UpdateBuildHistory(ctx, &controlapi.UpdateBuildHistoryRequest{Ref: s.ref, Finalize: true}); err != nil {
		return nil, fmt.Errorf("end the trace of a solve: %w", err)
	}
	events, err := control.ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{Ref: s.ref, EarlyExit: true})
	if err != nil {
		return nil, fmt.Errorf("read the history of a solve: %w", err)
	}
	event, err := events.Recv()
	if err != nil {
		return nil, fmt.Errorf("read the history of a solve: %w", err)
	}
	trace := event.GetRecord().GetTrace()
	if trace == nil {
		return nil, errors.New("the builder keeps no trace of a solve")
	}
	text, err := content.ReadBlob(ctx, proxy.NewContentStore(s.builder.client.ContentClient()), ocispecs.Descriptor{Digest: digest.Digest(trace.Digest), Size: trace.Size})
	if err != nil {
		return nil, fmt.Errorf("read the trace of a solve: %w", err)
	}
	return readUploads(bytes.NewReader(text))
}

// readUploads returns the uploads in a trace, a sequence of spans as BuildKit keeps them. The upload
// of a blob ends with a PUT that names its digest:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
func readUploads(trace io.Reader) (map[string]digest.Digest, error) {
	found := map[string]digest.Digest{}
	spans := json.NewDecoder(trace)
	for {
		var span struct {
			Attributes []struct {
				Key   string
				Value struct{ Value any }
			}
		}
		if err := spans.Decode(&span); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the trace of a solve: %w", err)
		}
		attributes := map[string]any{}
		for _, a := range span.Attributes {
			attributes[a.Key] = a.Value.Value
		}
		status, _ := attributes["http.response.status_code"].(float64)
		address, _ := attributes["url.full"].(string)
		if attributes["http.request.method"] != http.MethodPut || status != http.StatusCreated {
			continue
		}
		if to, err := url.Parse(address); err == nil {
			if dgst, err := digest.Parse(to.Query().Get("digest")); err == nil {
				found[address] = dgst
			}
		}
	}
}
