package ci

import (
	"errors"
	"slices"
	"strings"
)

// cacheSettings are the settings of caches.
func cacheSettings() []Setting {
	return []Setting{
		semis("PLUGIN_CACHE_FROM", "", "Caches to use, as docker buildx build --cache-from takes them. A name alone is a cache in a registry", func(s *Step) *[]string { return &s.cacheFrom }),
		semis("PLUGIN_CACHE_TO", "", "Caches to write, as docker buildx build --cache-to takes them", func(s *Step) *[]string { return &s.cacheTo }),
		boolean("PLUGIN_ENABLE_CACHE", "false", "Use and write a cache in the registry: PLUGIN_CACHE_REPO, or the repository of the image with the tag buildcache, which must be allowed to move. A cache that cannot be written fails nothing", func(s *Step) *bool { return &s.enableCache }),
		text("PLUGIN_CACHE_REPO", "", "Repository of the cache. It is in PLUGIN_REGISTRY unless it names another registry", func(s *Step) *string { return &s.cacheRepo }),
		ignored("PLUGIN_CACHE_TTL", "a cache in a registry has no end: let the registry delete old images"),
		ignored("PLUGIN_CACHE_DIR PLUGIN_CACHE_COPY_LAYERS PLUGIN_CACHE_RUN_LAYERS PLUGIN_COMPRESSED_CACHING", "BuildKit keeps every layer in its cache"),
	}
}

// caches returns the caches to use and to write.
func (s *Step) caches() (from, to []string, err error) {
	for _, value := range s.cacheFrom {
		if strings.Contains(value, "=") {
			from = append(from, value)
			continue
		}
		for ref := range strings.SplitSeq(value, ",") { // images, as drone-docker has them
			from = append(from, "type=registry,ref="+strings.TrimSpace(ref))
		}
	}
	to = slices.Clone(s.cacheTo)
	if !s.enableCache {
		return from, to, nil
	}
	cache := s.cacheRepository()
	if cache == "" {
		if cache, err = s.repository(); err != nil {
			return nil, nil, err
		}
		if cache == "" {
			return nil, nil, errors.New("PLUGIN_ENABLE_CACHE needs a repository: set PLUGIN_CACHE_REPO")
		}
		cache += ":buildcache"
	}
	from = append(from, "type=registry,ref="+cache)
	if s.pushes() {
		// As with kaniko, an image does not fail by its cache, whose tag a repository may not let move.
		to = append(to, "type=registry,mode=max,ignore-error=true,ref="+cache)
	}
	return from, to, nil
}

// cacheRepository returns PLUGIN_CACHE_REPO, which is in PLUGIN_REGISTRY unless it names another
// registry.
func (s *Step) cacheRepository() string {
	if s.cacheRepo == "" || namesRegistry(s.cacheRepo) {
		return s.cacheRepo
	}
	return s.below(s.cacheRepo)
}
