package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// askTime limits how long one question about an image may take, with all tries.
	askTime = 2 * time.Minute
	// maxAsked is how many questions a builder gets at the same time.
	maxAsked = 16
)

// OtherPlatformError says that an image exists, but not for the platform.
type OtherPlatformError struct{ Ref, Platform string }

func (e *OtherPlatformError) Error() string {
	return fmt.Sprintf("%s already exists, without an image for %s; use another tag, or omit --skip-existing", e.Ref, e.Platform)
}

// AskError is a builder's error about an image.
type AskError struct {
	Ref string
	Err error
}

func (e *AskError) Error() string { return fmt.Sprintf("look up %s: %v", e.Ref, e.Err) }

// Unwrap returns the builder's error.
func (e *AskError) Unwrap() error { return e.Err }

// UnansweredError says that a builder could not be reached.
type UnansweredError struct {
	Builder string
	Err     error
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("ask the %s about images: %v", e.Builder, e.Err)
}

// Unwrap returns the cause.
func (e *UnansweredError) Unwrap() error { return e.Err }

// Digests returns the digests that references point at in their registries, by reference, as the
// builder sees them: with its mirrors and its certificates. References that do not exist are left
// out. refs gives each reference the platform of its image, or one of its platforms. No layer is
// pulled.
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
	var failed error // the error before it went through the builder
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

// digestOf returns the digest that a reference points at, or "" if there is no such tag or
// repository.
func digestOf(ctx context.Context, c gateway.Client, ref string, platform ocispecs.Platform) (digest.Digest, error) {
	limited, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer from its registry within %s; it may be down: try again later", askTime))
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

// askRegistry makes the builder ask an image's registry for a tag that does not exist. Any answer
// of the registry is a success; an error says that none came before ctx ended.
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
	return ctx.Err() // nil if the builder could not be reached, which says nothing about the registry
}

// isNotFound reports whether a builder's error says that there is no such tag or repository. Old
// builders say so only in words.
func isNotFound(err error) bool {
	return grpcerrors.Code(err) == codes.NotFound || strings.HasSuffix(err.Error(), ": not found")
}

// exported returns the digests that a builder reports as exported. what is "manifest" for images, or
// "manifest list" for indexes.
func exported(st *client.SolveStatus, what string) (digests []digest.Digest) {
	for _, status := range st.Statuses {
		dgst, ok := strings.CutPrefix(status.ID, "exporting "+what+" ")
		if ok && digest.Digest(dgst).Validate() == nil {
			digests = append(digests, digest.Digest(dgst))
		}
	}
	return digests
}

// pushing returns the references, as NAME@DIGEST, whose manifests a builder says it pushes.
func pushing(st *client.SolveStatus) (refs []string) {
	for _, status := range st.Statuses {
		if ref, ok := strings.CutPrefix(status.ID, "pushing manifest for "); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// Pushed returns the references, as NAME@DIGEST, that the builder has pushed or may have pushed, even
// if the job failed afterwards.
func (r Result) Pushed() []string {
	refs := slices.Compact(slices.Sorted(slices.Values(r.pushing)))
	return slices.DeleteFunc(refs, func(ref string) bool {
		name, _, _ := strings.Cut(ref, "@")
		refused := r.Err != nil && strings.Contains(r.Err.Error(), "failed to push "+name) // BuildKit's words
		return refused && !frontend.BrokeOff(r.Err)
	})
}

// Exported reports whether the job exported an image or an index with this digest, even if the job
// failed afterwards.
func (r Result) Exported(dgst string) bool {
	return slices.Contains(slices.Concat(r.manifests, r.indexes), digest.Digest(dgst))
}

// Blobs returns the layers and the configs of the images that a job exported, even if the job
// failed afterwards.
func (r Result) Blobs(ctx context.Context) ([]ocispecs.Descriptor, error) {
	return r.blobs(ctx, r.manifests)
}

// blobs returns the layers and the configs of manifests that the builder exported.
func (r Result) blobs(ctx context.Context, manifests []digest.Digest) ([]ocispecs.Descriptor, error) {
	store := proxy.NewContentStore(r.Builder.client.ContentClient())
	var blobs []ocispecs.Descriptor
	for _, dgst := range manifests {
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

// Blob opens a layer or a config that the builder has. If the builder has not pulled it, the error
// is [ErrNotKept].
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

// Image returns the manifest or the index with a digest that the builder exported, and if it is the
// manifest of an image the config. It sends no request to a registry. If the builder does not have
// them, the error is [ErrNotKept].
func (b *Builder) Image(ctx context.Context, dgst string) (manifest, config []byte, err error) {
	store := proxy.NewContentStore(b.client.ContentClient())
	read := func(what string, desc ocispecs.Descriptor) ([]byte, error) {
		data, err := content.ReadBlob(ctx, store, desc)
		if err != nil {
			return nil, fmt.Errorf("read the %s %s: %w: %w", what, desc.Digest, ErrNotKept, reason(err))
		}
		return data, nil
	}
	if manifest, err = read("manifest", ocispecs.Descriptor{Digest: digest.Digest(dgst)}); err != nil {
		return nil, nil, err
	}
	var parsed ocispecs.Manifest
	if err := json.Unmarshal(manifest, &parsed); err != nil {
		return nil, nil, fmt.Errorf("read the manifest %s: %w", dgst, err)
	}
	if parsed.Config.Digest != "" {
		config, err = read("config", ocispecs.Descriptor{Digest: parsed.Config.Digest})
	}
	return manifest, config, err
}

// ErrNotKept says that a builder does not keep what it exports, or no longer has it.
var ErrNotKept = errors.New("the builder does not keep what it exported")

// Index returns the members of an index that the builder exported, without attestations, by
// platform. It sends no request to a registry. If the builder does not have the index, the error is
// [ErrNotKept].
func (b *Builder) Index(ctx context.Context, dgst string) (map[string]string, error) {
	data, _, err := b.Image(ctx, dgst)
	if err != nil {
		return nil, err
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
