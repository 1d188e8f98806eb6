package frontend

import (
	"context"
	"fmt"
	"io"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

// solve hands a graph to buildkitd. With evaluate it waits until the graph has
// been built or found in a cache; otherwise that is left to the exporter.
// Cache imports are not implied by the build: each solve names them.
func (b *build) solve(ctx context.Context, state llb.State, evaluate bool) (client.Reference, error) {
	def, err := state.Marshal(ctx, llb.WithCaps(b.BuildOpts().LLBCaps))
	if err != nil {
		return nil, fmt.Errorf("marshal the graph: %w", err)
	}
	res, err := b.gateway.Solve(ctx, client.SolveRequest{
		Definition:   def.ToPB(),
		CacheImports: b.CacheImports,
		Evaluate:     evaluate,
	})
	if err != nil {
		return nil, err
	}
	return res.SingleRef()
}

// checksum downloads url and returns the SHA-256 digest of what came.
func (b *build) checksum(ctx context.Context, url, filename string) (digest.Digest, error) {
	source := &pb.SourceOp{Identifier: url, Attrs: map[string]string{pb.AttrHTTPFilename: filename}}
	meta, err := b.gateway.ResolveSourceMetadata(ctx, source, sourceresolver.Opt{LogName: "download " + url + " for its checksum"})
	if err != nil {
		return "", err
	}
	if meta.HTTP != nil && meta.HTTP.Digest != "" {
		return meta.HTTP.Digest, nil
	}
	// The builder is too old to tell: read the file.
	ref, err := b.solve(ctx, llb.HTTP(url, llb.Filename(filename)), true)
	if err != nil {
		return "", err
	}
	hash := digest.SHA256.Digester()
	if _, err := io.Copy(hash.Hash(), &refReader{ctx: ctx, ref: ref, path: filename}); err != nil {
		return "", err
	}
	return hash.Digest(), nil
}

// refReader reads a file of a reference piece by piece, as one message of the
// gateway holds 16 MiB at most.
type refReader struct {
	ctx    context.Context
	ref    client.Reference
	path   string
	offset int
}

func (r *refReader) Read(p []byte) (int, error) {
	data, err := r.ref.ReadFile(r.ctx, client.ReadRequest{
		Filename: r.path,
		Range:    &client.FileRange{Offset: r.offset, Length: len(p)},
	})
	if err != nil {
		return 0, err
	}
	if len(data) == 0 {
		return 0, io.EOF
	}
	r.offset += len(data)
	return copy(p, data), nil
}
