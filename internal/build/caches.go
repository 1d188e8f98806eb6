package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	if err := errors.Join(checkCacheTypes("--cache-from", imports, importTypes), checkCacheTypes("--cache-to", exports, exportTypes)); err != nil {
		return nil, nil, err
	}
	for _, e := range exports {
		if dest := e.Attrs["dest"]; e.Type == "local" && dest != "" {
			if err := checkWritable(dest); err != nil {
				return nil, nil, fmt.Errorf("--cache-to type=local: %w", err)
			}
		}
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

// The types of a cache, as BuildKit has them: https://docs.docker.com/build/cache/backends/. An inline
// cache is part of an image, so it is imported as type=registry.
var (
	importTypes = []string{"azblob", "gha", "local", "registry", "s3"}
	exportTypes = []string{"azblob", "gha", "inline", "local", "registry", "s3"}
)

// checkCacheTypes refuses a cache of another type. A builder refuses it only after the build, and for
// an import it just goes on without.
func checkCacheTypes(flag string, entries []bkclient.CacheOptionsEntry, types []string) error {
	for _, e := range entries {
		if !slices.Contains(types, e.Type) {
			return fmt.Errorf("%s type=%s: there is no such type: use one of %s", flag, e.Type, strings.Join(types, ", "))
		}
	}
	return nil
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
