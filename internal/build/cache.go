package build

import (
	"fmt"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildctl/build"

	"github.com/samforge/samforge/placeholder"
)

// caches are what --cache-from and --cache-to say for one image. A value may
// have placeholders, as each image of several writes a cache of its own.
func (opt Options) caches(i image) (imports, exports []bkclient.CacheOptionsEntry, err error) {
	from, err := expandCaches("--cache-from", opt.CacheFrom, i)
	if err != nil {
		return nil, nil, err
	}
	if imports, err = build.ParseImportCache(from); err != nil {
		return nil, nil, fmt.Errorf("--cache-from: %w", err)
	}
	to, err := expandCaches("--cache-to", opt.CacheTo, i)
	if err != nil {
		return nil, nil, err
	}
	if exports, err = build.ParseExportCache(to); err != nil {
		return nil, nil, fmt.Errorf("--cache-to: %w", err)
	}
	return imports, exports, nil
}

// expandCaches fills in the placeholders of cache options.
func expandCaches(flag string, values []string, i image) ([]string, error) {
	expanded := slices.Clone(values)
	for n, value := range values {
		text, err := placeholder.Fill(value, map[string]string{"Target": i.Name, "Runtime": i.Runtime, "Variant": i.Variant})
		if err != nil {
			return nil, fmt.Errorf("%s %.200q: %w", flag, value, err)
		}
		expanded[n] = text
	}
	return expanded, nil
}

// checkCaches refuses a cache that several images would write, each over that of
// the one before. An inline cache is in the image itself.
func checkCaches(opt Options, images []image) error {
	writers := map[string]string{} // target by value
	for _, i := range images {
		if _, err := expandCaches("--cache-from", opt.CacheFrom, i); err != nil {
			return err
		}
		to, err := expandCaches("--cache-to", opt.CacheTo, i)
		if err != nil {
			return err
		}
		for n, value := range to {
			other, taken := writers[value]
			if taken && !slices.Contains(strings.Split(value, ","), "type=inline") {
				return fmt.Errorf("--cache-to %s: targets %s and %s would write the same cache, one over the other: put {{.Target}} into its name, as in type=registry,ref=registry.example.com/cache:{{.Target}}", opt.CacheTo[n], other, i.Name)
			}
			writers[value] = i.Name
		}
	}
	return nil
}
