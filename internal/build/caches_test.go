package build

import (
	"maps"
	"slices"
	"testing"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// A cache on Amazon ECR is an OCI image, whatever the builder would write by itself.
func TestCachesOnAmazon(t *testing.T) {
	t.Parallel()
	const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/cache"
	for to, want := range map[string]map[string]string{
		"type=registry,ref=" + ecr:                            {"ref": ecr, "mode": "min", "image-manifest": "true", "oci-mediatypes": "true"},
		"type=registry,ref=public.ecr.aws/a/cache,mode=max":   {"ref": "public.ecr.aws/a/cache", "mode": "max", "image-manifest": "true", "oci-mediatypes": "true"},
		"type=registry,image-manifest=false,ref=" + ecr:       {"ref": ecr, "mode": "min", "image-manifest": "false", "oci-mediatypes": "true"},
		"type=registry,ref=registry.example.com/cache":        {"ref": "registry.example.com/cache", "mode": "min"},
		"type=s3,region=eu-west-1,bucket=cache,prefix=" + ecr: {"region": "eu-west-1", "bucket": "cache", "prefix": ecr, "mode": "min"},
	} {
		_, exports, err := caches(Options{Settings: project.Settings{CacheTo: []string{to}}}, project.Target{})
		if err != nil || len(exports) != 1 || !maps.Equal(exports[0].Attrs, want) {
			t.Errorf("%s: got %+v, %v, want %v", to, exports, err, want)
		}
	}
}

func TestRegistryCaches(t *testing.T) {
	t.Parallel()
	got := RegistryCaches([]string{"type=registry,ref=a/b:c,ignore-error=true", "type=local,dest=d", "registry.example.com/cache", "type=inline"})
	if want := []registry.Cache{{Ref: "a/b:c", Optional: true}, {Ref: "registry.example.com/cache"}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A builder refuses another type after the build, or goes on without the cache.
func TestCachesOfAnUnknownType(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings project.Settings
		want     string
	}{
		"to import":           {project.Settings{CacheFrom: []string{"type=foo"}}, "--cache-from type=foo: there is no such type: use one of azblob, gha, local, registry, s3"},
		"to export":           {project.Settings{CacheTo: []string{"type=foo"}}, "--cache-to type=foo: there is no such type: use one of azblob, gha, inline, local, registry, s3"},
		"inline is no source": {project.Settings{CacheFrom: []string{"type=inline"}}, "--cache-from type=inline: there is no such type: use one of azblob, gha, local, registry, s3"},
	} {
		if _, _, err := caches(Options{Settings: c.settings}, project.Target{}); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// A cache at GitHub has the address and the token of the job.
func TestCachesAtGitHub(t *testing.T) {
	t.Setenv("ACTIONS_CACHE_SERVICE_V2", "true")
	t.Setenv("ACTIONS_RESULTS_URL", "https://results.example.com/")
	t.Setenv("ACTIONS_RUNTIME_TOKEN", "token")
	imports, exports, err := caches(Options{Settings: project.Settings{CacheFrom: []string{"type=gha"}, CacheTo: []string{"type=gha,mode=max"}}}, project.Target{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cache := range slices.Concat(imports, exports) {
		if cache.Attrs["url_v2"] != "https://results.example.com/" || cache.Attrs["token"] != "token" {
			t.Errorf("got %+v", cache)
		}
	}
}
