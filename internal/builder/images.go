package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/printer"
)

const (
	// askTime bounds the answer to one question about an image, with all tries.
	askTime = 2 * time.Minute
	// maxAsked bounds the questions that a builder is asked at a time.
	maxAsked = 16
)

// OtherPlatformError says that an image is there, but not for the platform.
type OtherPlatformError struct{ Ref, Platform string }

func (e *OtherPlatformError) Error() string {
	return fmt.Sprintf("%s is there already, without an image for %s; use another tag, or leave --skip-existing out", e.Ref, e.Platform)
}

// AskError is what a builder said of an image that it was asked about.
type AskError struct {
	Ref string
	Err error
}

func (e *AskError) Error() string { return fmt.Sprintf("look up %s: %v", e.Ref, e.Err) }

// Unwrap returns what the builder said.
func (e *AskError) Unwrap() error { return e.Err }

// UnansweredError says that a builder could not be asked.
type UnansweredError struct {
	Builder string
	Err     error
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("ask the %s about images: %v", e.Builder, e.Err)
}

// Unwrap returns what was wrong.
func (e *UnansweredError) Unwrap() error { return e.Err }

// Digests returns what references point at in their registries, by reference, as the builder sees
// them: with its mirrors and its certificates. One that is not there is not in the result. The
// platform of a reference is that of its image, or one of them. No layer is pulled.
func (b *Builder) Digests(ctx context.Context, attachables []session.Attachable, refs map[string]ocispecs.Platform) (map[string]string, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	found := map[string]string{}
	var mu sync.Mutex
	ask := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		eg, ctx := errgroup.WithContext(ctx)
		eg.SetLimit(maxAsked)
		for ref, platform := range refs {
			eg.Go(func() error {
				dgst, err := digestOf(ctx, c, ref, platform)
				if dgst != "" {
					mu.Lock()
					defer mu.Unlock()
					found[ref] = dgst.String()
				}
				return err
			})
		}
		if err := eg.Wait(); err != nil {
			return nil, err
		}
		return gateway.NewResult(), nil
	}
	attachables = recorded(printer.FromContext(ctx), attachables)
	var failed error // as it was before it went through the builder
	_, err := b.client.Build(ctx, client.SolveOpt{Session: attachables, FrontendAttrs: map[string]string{}, Internal: true}, "",
		func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
			res, err := ask(ctx, c)
			failed = err
			return res, err
		}, nil)
	switch {
	case failed != nil:
		err = failed
	case err != nil:
		err = &UnansweredError{b.String(), reason(err)}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return found, err
}

// digestOf returns what a reference points at, "" where there is no such tag or repository.
func digestOf(ctx context.Context, c gateway.Client, ref string, platform ocispecs.Platform) (digest.Digest, error) {
	limited, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer of its registry within %s; it may be down: try again later", askTime))
	defer cancel()
	opt := sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{
		Platform:    &platform,
		ResolveMode: pb.AttrImageResolveModeForcePull, // an engine would answer from its own images
	}}
	_, dgst, _, err := frontend.Patient(c).ResolveImageConfig(limited, ref, opt)
	switch {
	case err == nil:
		return dgst, nil
	case limited.Err() != nil:
		return "", &AskError{ref, context.Cause(limited)}
	case strings.Contains(err.Error(), "no match for platform"):
		return "", &OtherPlatformError{ref, platforms.Format(platform)}
	case isNotFound(err):
		return "", nil
	default:
		return "", &AskError{ref, err}
	}
}

// askRegistry has the builder ask the registry of an image for a tag that nobody has. Whatever
// comes back is an answer; an error says that none came before ctx ended.
func (b *Builder) askRegistry(ctx context.Context, attachables []session.Attachable, image string) error {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil
	}
	absent := reference.TrimNamed(named).String() + ":samforge-asks"
	answered := false
	ask := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		_, _, _, err := c.ResolveImageConfig(ctx, absent, sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{
			ResolveMode: pb.AttrImageResolveModeForcePull,
		}})
		answered = ctx.Err() == nil
		return nil, err
	}
	_, _ = b.client.Build(ctx, client.SolveOpt{Session: attachables, FrontendAttrs: map[string]string{}, Internal: true}, "", ask, nil)
	if answered {
		return nil
	}
	return ctx.Err() // nil where the builder could not be asked, which says nothing of the registry
}

// isNotFound reports whether a builder says that there is no such tag or repository. Old ones say
// it in words only.
func isNotFound(err error) bool {
	return grpcerrors.Code(err) == codes.NotFound || strings.HasSuffix(err.Error(), ": not found")
}

// exported returns the digests of the manifests that a builder says it exported.
func exported(st *client.SolveStatus) (manifests []digest.Digest) {
	for _, status := range st.Statuses {
		dgst, ok := strings.CutPrefix(status.ID, "exporting manifest ")
		if ok && digest.Digest(dgst).Validate() == nil {
			manifests = append(manifests, digest.Digest(dgst))
		}
	}
	return manifests
}

// Blobs returns the layers and the configs of the images that a job exported, though it may have
// failed then.
func (r Result) Blobs(ctx context.Context) ([]ocispecs.Descriptor, error) {
	store := proxy.NewContentStore(r.Builder.client.ContentClient())
	var blobs []ocispecs.Descriptor
	for _, dgst := range r.manifests {
		data, err := content.ReadBlob(ctx, store, ocispecs.Descriptor{Digest: dgst})
		if err != nil {
			return nil, fmt.Errorf("read the manifest %s: %w: %w", dgst, ErrNotKept, reason(err))
		}
		var manifest ocispecs.Manifest
		if err := json.Unmarshal(data, &manifest); err != nil {
			return nil, fmt.Errorf("read the manifest %s: %w", dgst, err)
		}
		blobs = append(append(blobs, manifest.Config), manifest.Layers...)
	}
	return blobs, nil
}

// Blob opens a layer or a config that the builder has. [ErrNotKept] is its error for one that it
// has not pulled.
func (b *Builder) Blob(ctx context.Context, blob ocispecs.Descriptor) (io.ReadCloser, error) {
	reader, err := proxy.NewContentStore(b.client.ContentClient()).ReaderAt(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("read the blob %s: %w: %w", blob.Digest, ErrNotKept, reason(err))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(reader, 0, reader.Size()), reader}, nil
}

// ErrNotKept says that a builder does not keep what it exports, or not so long.
var ErrNotKept = errors.New("the builder does not keep what it exported")

// Index returns the members of an index that the builder exported, without attestations, by
// platform. It asks no registry. [ErrNotKept] is its error when the builder cannot tell.
func (b *Builder) Index(ctx context.Context, dgst string) (map[string]string, error) {
	store := proxy.NewContentStore(b.client.ContentClient())
	data, err := content.ReadBlob(ctx, store, ocispecs.Descriptor{Digest: digest.Digest(dgst)})
	if err != nil {
		return nil, fmt.Errorf("read the index %s: %w: %w", dgst, ErrNotKept, reason(err))
	}
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("read the index %s: %w", dgst, err)
	}
	members := map[string]string{}
	for _, m := range index.Manifests {
		if m.Platform != nil && m.Platform.OS != "unknown" {
			members[platforms.Format(*m.Platform)] = m.Digest.String()
		}
	}
	return members, nil
}
