package build

import (
	"maps"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

// byDigest makes an exporter push to the repositories of references, without their tags.
func byDigest(attrs map[string]string) map[string]string {
	changed := maps.Clone(attrs)
	changed[string(exptypes.OptKeyPushByDigest)] = "true"
	changed[string(exptypes.OptKeyName)] = strings.Join(pushedTo([]bkclient.ExportEntry{{Attrs: attrs}}), ",")
	return changed
}

// tagLast makes the builder push a function's image without a tag. Once the guard has judged the
// image, the builder pushes it again with its tags, which sends only its manifest.
func (r *request) tagLast(job *builder.Job, t project.Target) {
	push := len(job.Opt.Exports) - 1 // the one from --push
	if !r.opt.Push || t.Lambda == nil || job.Opt.Exports[push].Type != bkclient.ExporterImage {
		return
	}
	tags := job.Opt.Exports[push]
	job.Opt.Exports[push].Attrs = byDigest(tags.Attrs)
	var kept builder.Members
	job.Build = kept.Keep(job.Build)
	job.Approve = r.guard.built(t)
	job.After = append(job.After, builder.Job{
		Name:  t.Name,
		Build: kept.Build(t.Platforms[0]),
		Opt: bkclient.SolveOpt{
			Exports:       []bkclient.ExportEntry{tags},
			FrontendAttrs: map[string]string{},
			CacheImports:  job.Opt.CacheImports,
			CacheExports:  inline(job.Opt.CacheExports),
		},
	})
}
