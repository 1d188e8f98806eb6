package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	bkclient "github.com/moby/buildkit/client"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/builder"
)

// job says how one image is solved and exported. The attributes are those that
// buildx passes to a frontend, so that both doors build the same.
func (r *request) job(i image, exports []bkclient.ExportEntry) (builder.Job, error) {
	opt := r.opt
	attrs := map[string]string{
		"filename": r.file.name,
		"target":   i.Name,
		"platform": formatPlatforms(i),
	}
	maps.Copy(attrs, prefixed("build-arg:", r.args))
	maps.Copy(attrs, prefixed("label:", opt.Labels))
	maps.Copy(attrs, prefixed("context:", r.contexts.attrs))
	maps.Copy(attrs, r.context.attrs())
	if opt.NoCache {
		attrs["no-cache"] = ""
	} else if len(opt.NoCacheFilter) > 0 {
		attrs["no-cache"] = strings.Join(opt.NoCacheFilter, ",")
	}
	for _, attest := range opt.Attests {
		kind, rest, err := parseAttest(attest)
		if err != nil {
			return builder.Job{}, err
		}
		attrs["attest:"+kind] = rest
	}
	imports, cacheExports, err := opt.caches(i)
	if err != nil {
		return builder.Job{}, err
	}
	return builder.Job{
		Name:  i.Name,
		Group: runtimeEntry(i.Target),
		Build: frontend.Frontend{Warn: opt.warn(i), Resolved: r.mountBase(i, exports)}.Build,
		Opt: bkclient.SolveOpt{
			Exports:       exports,
			FrontendAttrs: attrs,
			CacheImports:  imports,
			CacheExports:  cacheExports,
		},
	}, nil
}

// warn returns what shows a warning about an image where the builder cannot.
func (opt Options) warn(i image) func(message string) {
	if opt.Progress == "quiet" {
		return nil
	}
	return func(message string) { fmt.Fprintf(opt.Stderr, "WARNING: %s: %s\n", i.Name, message) }
}

func formatPlatforms(i image) string {
	var names []string
	for _, p := range i.platforms {
		names = append(names, platforms.Format(p))
	}
	return strings.Join(names, ",")
}

func prefixed(prefix string, values map[string]string) map[string]string {
	out := make(map[string]string, len(values))
	for k, v := range values {
		out[prefix+k] = v
	}
	return out
}

// parseAttest splits "type=sbom,generator=…" into the type and the rest.
func parseAttest(value string) (kind, rest string, err error) {
	fields := strings.Split(value, ",")
	rests := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return strings.HasPrefix(f, "type=") })
	if len(rests) == len(fields) {
		return "", "", fmt.Errorf("--attest %q: a type is missing, such as type=provenance", value)
	}
	for _, f := range fields {
		if t, ok := strings.CutPrefix(f, "type="); ok {
			kind = t
		}
	}
	return kind, strings.Join(rests, ","), nil
}
