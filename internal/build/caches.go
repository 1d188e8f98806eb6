package build

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildctl/build"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// caches returns the caches of --cache-from and --cache-to for one target.
func caches(opt Options, t project.Target) (imports, exports []bkclient.CacheOptionsEntry, err error) {
	from, to, err := opt.Caches(t)
	if err != nil {
		return nil, nil, err
	}
	if imports, err = build.ParseImportCache(from); err != nil {
		return nil, nil, fmt.Errorf("--cache-from: %w", err)
	}
	if exports, err = build.ParseExportCache(to); err != nil {
		return nil, nil, fmt.Errorf("--cache-to: %w", err)
	}
	for _, e := range slices.Concat(imports, exports) {
		if e.Type != "registry" {
			continue
		}
		if err := project.CheckReference(e.Attrs["ref"]); err != nil {
			return nil, nil, fmt.Errorf("a cache of type=registry: ref=%w", err)
		}
	}
	for _, e := range exports {
		forAmazon(e)
	}
	return imports, exports, nil
}

// forAmazon makes a cache an OCI image, which is all that Amazon ECR takes. Builders before BuildKit
// 0.21 would write an index: https://github.com/aws/containers-roadmap/issues/876
func forAmazon(export bkclient.CacheOptionsEntry) {
	if export.Type != "registry" || !registry.IsECR(export.Attrs["ref"]) {
		return
	}
	for _, name := range []string{"image-manifest", "oci-mediatypes"} {
		if _, given := export.Attrs[name]; !given {
			export.Attrs[name] = "true"
		}
	}
}

// RegistryCaches returns the caches in registries among values of --cache-to. Values that are no cache
// are passed over.
func RegistryCaches(to []string) (caches []registry.Cache) {
	for _, value := range to {
		exports, err := build.ParseExportCache([]string{value})
		if err != nil || exports[0].Type != "registry" {
			continue
		}
		optional, _ := strconv.ParseBool(exports[0].Attrs["ignore-error"])
		caches = append(caches, registry.Cache{Ref: exports[0].Attrs["ref"], Optional: optional})
	}
	return caches
}

// prepare makes the repositories that the targets and their caches are pushed to ready.
func (opt Options) prepare(ctx context.Context, targets []project.Target) error {
	if !opt.Push || opt.Prepare == nil {
		return nil
	}
	var refs []string
	var caches []registry.Cache
	for _, t := range targets {
		refs = append(refs, t.References()...)
		_, to, err := opt.Caches(t)
		if err != nil {
			return err
		}
		caches = append(caches, RegistryCaches(to)...)
	}
	return opt.Prepare(ctx, refs, caches)
}
