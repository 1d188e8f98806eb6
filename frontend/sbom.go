package frontend

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/attestations/sbom"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/result"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// attest adds an SBOM attestation to each platform, where one was asked for.
// Scanning an image reads all of it, so that its base is pulled.
func (b *build) attest(ctx context.Context, rb *dockerui.ResultBuilder) error {
	if b.SBOM == nil {
		return nil
	}
	platform := b.BuildPlatforms[0]
	scan, err := sbom.CreateSBOMScanner(ctx, b.gateway, b.SBOM.Generator, platform, sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &platform, ResolveMode: b.ImageResolveMode.String()},
	}, b.SBOM.Parameters)
	if err != nil {
		return fmt.Errorf("prepare the SBOM scanner %s: %w", b.SBOM.Generator, err)
	}
	return rb.EachPlatform(ctx, func(ctx context.Context, id string, _ ocispecs.Platform) error {
		image, _ := b.states.Load(id)
		attestation, err := scan(ctx, id, image.(llb.State), nil)
		if err != nil {
			return err
		}
		solved, err := result.ConvertAttestation(&attestation, func(st *llb.State) (client.Reference, error) {
			return b.solve(ctx, *st, false)
		})
		if err != nil {
			return err
		}
		rb.AddAttestation(id, *solved)
		return nil
	})
}
