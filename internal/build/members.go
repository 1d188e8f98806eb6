package build

import (
	"github.com/containerd/platforms"
	bkclient "github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

// member is an image of an index that also gets its own reference.
type member struct {
	platform ocispecs.Platform
	ref      string
}

// membersOf returns the members of a target's index that get references, in the order of its
// platforms.
func membersOf(t project.Target) []member {
	var members []member
	seen := map[string]bool{}
	for _, platform := range t.Platforms {
		if ref, ok := t.Members[platform.Architecture]; ok && !seen[ref] {
			seen[ref] = true
			members = append(members, member{platform, ref})
		}
	}
	return members
}

// pushMembers makes the builder push the members of an index under their own references after it
// has pushed the index. The builder does it, not samforge, because the builder knows how to reach
// the registry.
func (r *request) pushMembers(job *builder.Job, t project.Target) {
	members := membersOf(t)
	if !r.opt.Push || len(members) == 0 {
		return
	}
	var push bkclient.ExportEntry
	for _, e := range job.Opt.Exports {
		if e.Type == bkclient.ExporterImage && e.Attrs["push"] == "true" {
			push = e // the last one comes from --push
		}
	}
	var kept builder.Members
	job.Build = kept.Keep(job.Build)
	for _, m := range members {
		job.After = append(job.After, builder.Job{
			Name:  t.Name,
			Build: kept.Build(m.platform),
			Opt: bkclient.SolveOpt{
				Exports:       []bkclient.ExportEntry{{Type: push.Type, Attrs: kept.Attrs(push.Attrs, m.platform, m.ref)}},
				FrontendAttrs: map[string]string{"platform": platforms.Format(m.platform)},
				CacheImports:  job.Opt.CacheImports,
				CacheExports:  inline(job.Opt.CacheExports),
			},
		})
	}
}

// inline returns the caches that are exported into the image itself: a member of an index has them
// too.
func inline(exports []bkclient.CacheOptionsEntry) []bkclient.CacheOptionsEntry {
	var found []bkclient.CacheOptionsEntry
	for _, e := range exports {
		if e.Type == "inline" {
			found = append(found, e)
		}
	}
	return found
}
