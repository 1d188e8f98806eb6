package frontend

import (
	"context"
	"fmt"
	"slices"
	"strings"

	intoto "github.com/in-toto/in-toto-golang/in_toto"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/attestations"
	"github.com/moby/buildkit/frontend/attestations/sbom"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/result"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/samforge/samforge/llbgen"
)

// sbomPath is the file name of an SBOM, for scanners and for an exporter that writes files.
const sbomPath = "sbom.spdx.json"

// attest adds an SBOM attestation to each platform if the build asks for one: that of the named
// scanner, or else samforge's own.
// https://github.com/moby/buildkit/blob/master/docs/attestations/sbom.md
func (b *build) attest(ctx context.Context, rb *dockerui.ResultBuilder) error {
	if b.SBOM == nil {
		return nil
	}
	add := b.ownSBOM
	if namesScanner(b.BuildOpts().Opts) {
		scan, err := b.scanner(ctx)
		if err != nil {
			return err
		}
		add = scan
	}
	return rb.EachPlatform(ctx, func(ctx context.Context, id string, _ ocispecs.Platform) error {
		image, _ := b.images.Load(id)
		attestation, err := add(ctx, id, image.(*llbgen.Image))
		if err != nil {
			return err
		}
		solved, err := result.ConvertAttestation(attestation, func(st *llb.State) (client.Reference, error) {
			return b.solve(ctx, *st, false)
		})
		if err != nil {
			return err
		}
		rb.AddAttestation(id, *solved)
		return nil
	})
}

// namesScanner reports whether the options of the build name an SBOM scanner. dockerui's own field
// does not show this: it has BuildKit's default scanner if none is named.
func namesScanner(opts map[string]string) bool {
	for key, value := range attestations.Filter(opts) {
		if !strings.HasSuffix(strings.ToLower(key), attestations.KeyTypeSbom) {
			continue
		}
		fields, err := csvvalue.Fields(value, nil)
		if err == nil && slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "generator=") }) {
			return true
		}
	}
	return false
}

// sbomFunc makes the SBOM attestation of the image for a platform.
type sbomFunc func(ctx context.Context, platform string, image *llbgen.Image) (*result.Attestation[*llb.State], error)

// ownSBOM makes samforge's own SBOM, without reading the image. The file never comes from a cache:
// to pull it would take longer than to write it.
func (b *build) ownSBOM(_ context.Context, platform string, image *llbgen.Image) (*result.Attestation[*llb.State], error) {
	content, err := image.SBOM()
	if err != nil {
		return nil, err
	}
	file := llb.Scratch().File(llb.Mkfile(sbomPath, 0o644, content, llb.WithCreatedTime(b.epoch)),
		llb.WithCustomNamef("[%s] write the SBOM", platform), llb.IgnoreCache)
	return &result.Attestation[*llb.State]{
		Kind:     gatewaypb.AttestationKind_InToto,
		Metadata: map[string][]byte{result.AttestationReasonKey: []byte(result.AttestationReasonSBOM)},
		Ref:      &file,
		Path:     sbomPath,
		InToto: result.InTotoAttestation{
			PredicateType: intoto.PredicateSPDX,
			Subjects:      []result.InTotoSubject{{Kind: gatewaypb.InTotoSubjectKind_Self}},
		},
	}, nil
}

// scanner returns a function that runs the named scanner. It reads the whole image, so the base is
// pulled.
func (b *build) scanner(ctx context.Context) (sbomFunc, error) {
	platform := b.BuildPlatforms[0]
	scan, err := sbom.CreateSBOMScanner(ctx, b.gateway, b.SBOM.Generator, platform, sourceresolver.Opt{
		ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &platform, ResolveMode: b.ImageResolveMode.String()},
	}, b.SBOM.Parameters)
	if err != nil {
		return nil, fmt.Errorf("prepare the SBOM scanner %s: %w", b.SBOM.Generator, err)
	}
	return func(ctx context.Context, platform string, image *llbgen.Image) (*result.Attestation[*llb.State], error) {
		attestation, err := scan(ctx, platform, image.State, nil)
		return &attestation, err
	}, nil
}
