package ci

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

const (
	placeholder      = "harness_placeholder_aws_creds"
	azurePlaceholder = "harness_placeholder_azure_creds"
)

// Harness's caches become those of BuildKit, with the keys of the settings.
func TestHarnessCaches(t *testing.T) {
	t.Parallel()
	keys := []string{"PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY=key", "PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY=se,cret", "PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY=a=="}
	for name, c := range map[string]struct {
		settings    []string
		cache, want string
	}{
		"S3":                      {keys, "type=s3,bucket=b,access_key_id=" + placeholder + ",secret_access_key=" + placeholder + ",mode=max", `type=s3,bucket=b,access_key_id=key,"secret_access_key=se,cret",mode=max`},
		"S3 with a role":          {nil, "type=s3,bucket=b,access_key_id=" + placeholder + ",secret_access_key=" + placeholder, "type=s3,bucket=b"},
		"S3 with its own keys":    {keys, "type=s3,bucket=b,access_key_id=a,secret_access_key=b", "type=s3,bucket=b,access_key_id=a,secret_access_key=b"},
		"S3 in the region":        {[]string{"PLUGIN_REGION=eu-west-1"}, "type=s3,bucket=b", "type=s3,bucket=b,region=eu-west-1"},
		"S3 in another region":    {[]string{"PLUGIN_REGION=eu-west-1"}, "type=s3,region=eu-west-2,bucket=b", "type=s3,region=eu-west-2,bucket=b"},
		"a path that is no path":  {[]string{"PLUGIN_PATH_STYLE=true"}, "type=s3,bucket=b,use_path_style=false", "type=s3,bucket=b,use_path_style=false"},
		"a path elsewhere":        {[]string{"PLUGIN_PATH_STYLE=true"}, "type=local,src=b", "type=local,src=b"},
		"S3 without certificates": {[]string{"PLUGIN_CACHE_TLS_INSECURE=true"}, "type=s3,bucket=b,endpoint_url=http://s3:9000", "type=s3,bucket=b,endpoint_url=http://s3:9000"},
		"Azure": {keys, "type=azure,account_name=acc,container_name=c,account_key=" + azurePlaceholder + ",tenant_id=" + azurePlaceholder + ",client_secret=" + azurePlaceholder + ",mode=max",
			"type=azblob,account_name=acc,mode=max,secret_access_key=a==,container=c,account_url=https://acc.blob.core.windows.net"},
		"Azure as BuildKit has it": {nil, "type=azblob,account_url=https://acc.blob.core.windows.net,name=x", "type=azblob,account_url=https://acc.blob.core.windows.net,name=x"},
		"a name that is quoted":    {nil, `"type=registry","ref=a/b:c"`, "type=registry,ref=a/b:c"},
		"GitHub":                   {nil, "type=gha,scope=x", "type=gha,scope=x"},
	} {
		s, _, err := Read(append(c.settings, "PLUGIN_CACHE_FROM="+c.cache, "PLUGIN_CACHE_TO="+c.cache))
		if err != nil {
			t.Fatal(err)
		}
		from, to, err := s.caches()
		if want := []string{c.want}; err != nil || !slices.Equal(from, want) || !slices.Equal(to, want) {
			t.Errorf("%s: got %q, %q, %v, want %q", name, from, to, err, want)
		}
	}
}

// A cache that BuildKit does not have is a mistake before the build.
func TestCachesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ setting, cache, want string }{
		"a cache in Google Cloud Storage": {"", "type=gcs,bucket=b,gcp_json_key=canary", "endpoint_url=https://storage.googleapis.com"},
		"a login to Azure":                {"", "type=azure,account_name=a,tenant_id=b,client_id=c,client_secret=canary", "PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY"},
		"no account in Azure":             {"", "type=azure,account_key=canary", "no account_name"},
		"another type":                    {"", "type=ftp", "BuildKit has no cache of type=ftp: use one of registry, local"},
		"no type":                         {"", "ref=a/b", "a cache has no type"},
		"no value":                        {"", "type=s3,bucket", "part 2 of 2 of a cache is not of the form NAME=VALUE"},
		"a key with a comma":              {"", "type=s3,secret_access_key=a,canary,bucket=b", "part 3 of 4 of a cache is not of the form NAME=VALUE"},
		"no list":                         {"", `type=s3,"secret_access_key=canary`, "the cache is no list"},
		"half a key":                      {"", "type=s3,bucket=b,secret_access_key=canary", "has half a key"},
		"a certificate of its own":        {"PLUGIN_CACHE_TLS_INSECURE=true", "type=s3,bucket=b,endpoint_url=https://s3", "name its authority with HARNESS_CA_PATH"},
		"Harness's way to say so":         {"", "type=s3,bucket=b,endpoint_url=https://s3,tls_insecure_skip_verify=true", "name its authority with HARNESS_CA_PATH"},
	} {
		s, _, err := Read([]string{c.setting, "PLUGIN_CACHE_TO=" + c.cache})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = s.caches(); err == nil || !strings.HasPrefix(err.Error(), "PLUGIN_CACHE_TO: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// A cache in S3 without keys gets those of the AWS identity: of keys or a role in the settings by itself,
// of the environment if PLUGIN_BUILDKIT_INHERIT_AUTH=true.
func TestCachesOfTheIdentity(t *testing.T) {
	server := httptest.NewServer(&awsfake.Server{})
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "environment")
	const cache = "type=s3,bucket=b,region=eu-west-1"
	role := "PLUGIN_ASSUME_ROLE=arn:aws:iam::" + awsfake.Account + ":role/cache"
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"the environment":                 {nil, cache},
		"the environment, as asked":       {[]string{"PLUGIN_BUILDKIT_INHERIT_AUTH=true"}, cache + ",access_key_id=AKIAENVIRONMENT,secret_access_key=environment"},
		"keys":                            {[]string{"PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY=secret"}, cache + ",access_key_id=AKIAEXAMPLE,secret_access_key=secret"},
		"a role":                          {[]string{role, "PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY=secret"}, cache + ",access_key_id=" + awsfake.RoleKey + ",secret_access_key=canary-of-the-role,session_token=canary-of-the-session"},
		"another kind of cache":           {[]string{"PLUGIN_BUILDKIT_INHERIT_AUTH=true", "PLUGIN_CACHE_TO=type=inline"}, "type=inline"},
		"a cache that has keys of others": {[]string{"PLUGIN_BUILDKIT_INHERIT_AUTH=true", "PLUGIN_CACHE_TO=" + cache + ",access_key_id=a,secret_access_key=b"}, cache + ",access_key_id=a,secret_access_key=b"},
	} {
		s, _, err := Read(append([]string{"PLUGIN_CACHE_TO=" + cache}, c.settings...))
		if err != nil {
			t.Fatal(err)
		}
		_, to, err := s.caches()
		if err != nil {
			t.Fatal(err)
		}
		settings := project.Settings{CacheTo: to}
		if err := s.identify(t.Context(), &settings); err != nil || !slices.Equal(settings.CacheTo, []string{c.want}) {
			t.Errorf("%s: got %q, %v, want %q", name, settings.CacheTo, err, c.want)
		}
	}
}

// Keys of caches are secrets of the step.
func TestSecretsOfCaches(t *testing.T) {
	t.Parallel()
	s, _, err := Read([]string{
		"PLUGIN_CACHE_FROM=type=s3,secret_access_key=one,session_token=two", "PLUGIN_CACHE_TO=type=azure,account_key=three", "ACTIONS_RUNTIME_TOKEN=four",
		"PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY=five", "PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY=six",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two", "three", "four", "five", "six"} {
		if !slices.Contains(s.SecretValues(), want) {
			t.Errorf("%s is no secret", want)
		}
	}
}
