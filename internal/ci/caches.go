package ci

import (
	"errors"
	"slices"

	"github.com/samforge/samforge/internal/build"
)

// cacheSettings are the settings of caches.
func cacheSettings() []Setting {
	return []Setting{
		semis("PLUGIN_CACHE_FROM", "", "Caches to use, as docker buildx build --cache-from takes them. A name alone is a cache in a registry", func(s *Step) *[]string { return &s.cacheFrom }),
		semis("PLUGIN_CACHE_TO", "", "Caches to write, as docker buildx build --cache-to takes them", func(s *Step) *[]string { return &s.cacheTo }),
		boolean("PLUGIN_ENABLE_CACHE", "false", "Use and write a cache in the registry: PLUGIN_CACHE_REPO, or the repository of the image with the tag buildcache, which must be allowed to move. A cache that cannot be written fails nothing", func(s *Step) *bool { return &s.enableCache }),
		text("PLUGIN_CACHE_REPO", "", "Repository of the cache. It is in PLUGIN_REGISTRY unless it names another registry", func(s *Step) *string { return &s.cacheRepo }),
		text("PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY", "", "Access key for caches of type=s3, in place of harness_placeholder_aws_creds", func(s *Step) *string { return &s.cacheKeys.s3Access }),
		text("PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY", "", "Secret key for caches of type=s3, in place of harness_placeholder_aws_creds", func(s *Step) *string { return &s.cacheKeys.s3Secret }),
		text("PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY", "", "Key of the storage account for caches of type=azblob, or of type=azure as Harness has them, in place of harness_placeholder_azure_creds", func(s *Step) *string { return &s.cacheKeys.azureAccount }),
		boolean("PLUGIN_BUILDKIT_INHERIT_AUTH", "false", "Give caches of type=s3 without keys those of the AWS identity of this step, such as the role of its pod. Keys and roles of the settings are given to them anyway", func(s *Step) *bool { return &s.inheritAuth }),
		boolean("PLUGIN_PATH_STYLE AWS_PLUGIN_PATH_STYLE", "false", "Put the bucket into the path of addresses for caches of type=s3, not into the host", func(s *Step) *bool { return &s.pathStyle }),
		boolean("PLUGIN_CACHE_TLS_INSECURE", "false", "Do not check the certificates of registries with caches. An S3 service with a certificate of its own is an error: name the authority with HARNESS_CA_PATH", func(s *Step) *bool { return &s.cacheInsecure }),
		ignored("PLUGIN_HARNESS_SELF_HOSTED_GCP_JSON_KEY", noGCS),
		ignored("PLUGIN_HARNESS_SELF_HOSTED_AZURE_TENANT_ID PLUGIN_HARNESS_SELF_HOSTED_AZURE_CLIENT_ID PLUGIN_HARNESS_SELF_HOSTED_AZURE_CLIENT_SECRET PLUGIN_HARNESS_SELF_HOSTED_AZURE_OIDC_TOKEN", noAzureLogin),
		ignored("PLUGIN_CACHE_TTL", "a cache in a registry has no end: let the registry delete old images"),
		ignored("PLUGIN_CACHE_DIR PLUGIN_CACHE_COPY_LAYERS PLUGIN_CACHE_RUN_LAYERS PLUGIN_COMPRESSED_CACHING", "BuildKit keeps every layer in its cache"),
	}
}

// caches returns the caches to use and to write.
func (s *Step) caches() (from, to []string, err error) {
	if from, err = s.completed("PLUGIN_CACHE_FROM", s.cacheFrom); err != nil {
		return nil, nil, err
	}
	if to, err = s.completed("PLUGIN_CACHE_TO", s.cacheTo); err != nil {
		return nil, nil, err
	}
	if to = s.written(to); !s.enableCache {
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

// written returns the caches that are written: where nothing is pushed, those in registries are not.
func (s *Step) written(to []string) []string {
	if s.pushes() {
		return to
	}
	return slices.DeleteFunc(slices.Clone(to), func(cache string) bool { return len(build.RegistryCaches([]string{cache})) > 0 })
}

// cacheRepository returns PLUGIN_CACHE_REPO, which is in PLUGIN_REGISTRY unless it names another
// registry.
func (s *Step) cacheRepository() string {
	if s.cacheRepo == "" || namesRegistry(s.cacheRepo) {
		return s.cacheRepo
	}
	return s.below(s.cacheRepo)
}
