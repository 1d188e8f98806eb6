package frontend

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/llbgen"
)

// solve solves a graph in buildkitd. With evaluate it waits until the graph is built or found in a
// cache; otherwise the exporter does. A solve does not inherit the cache imports of the build, so
// each names them.
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

// checksum downloads a file and returns its SHA-256 digest.
func (b *build) checksum(ctx context.Context, d llbgen.Download) (digest.Digest, error) {
	url, filename := d.URL, d.Filename
	source := &pb.SourceOp{Identifier: url, Attrs: map[string]string{pb.AttrHTTPFilename: filename}}
	meta, err := b.gateway.ResolveSourceMetadata(ctx, source, sourceresolver.Opt{LogName: "download " + url + " for its checksum"})
	if err != nil {
		return "", err
	}
	if meta.HTTP != nil && meta.HTTP.Digest != "" {
		return meta.HTTP.Digest, nil
	}
	// The builder is too old to say: read the file.
	ref, err := b.solve(ctx, llb.HTTP(url, llb.Filename(filename)), true)
	if err != nil {
		return "", err
	}
	file, err := fileSystem{ctx, ref}.Open(filename)
	if err != nil {
		return "", err
	}
	return digest.SHA256.FromReader(file)
}
