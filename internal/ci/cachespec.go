package ci

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tonistiigi/go-csvvalue"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// cacheKeys are the credentials that Harness's placeholders in caches stand for.
type cacheKeys struct{ s3Access, s3Secret, azureAccount string }

const (
	noGCS        = "BuildKit has no cache of type=gcs: use type=registry in Artifact Registry, or type=s3,endpoint_url=https://storage.googleapis.com,region=auto,disable_accept_encoding=true with an HMAC key of the service account"
	noAzureLogin = "BuildKit logs in to Azure Blob Storage with the key of the storage account: set PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY"
)

// cacheTypes are the caches of BuildKit: https://docs.docker.com/build/cache/backends/
var cacheTypes = []string{"registry", "local", "inline", "s3", "azblob", "gha"}

// cacheSpec is a cache as docker buildx build --cache-from and --cache-to take it.
type cacheSpec struct {
	names  []string // in the order in which they were given
	values map[string]string
}

func parseCacheSpec(text string) (cacheSpec, error) {
	spec := cacheSpec{values: map[string]string{}}
	fields, err := csvvalue.Fields(text, nil)
	if err != nil {
		return spec, errors.New("the cache is no list of NAME=VALUE with commas") // the text may have keys
	}
	for n, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok { // it may be the rest of a key with a comma
			return spec, fmt.Errorf(`part %d of %d of a cache is not of the form NAME=VALUE: write a value with a comma as "NAME=VALUE", in quotes`, n+1, len(fields))
		}
		spec.set(name, value)
	}
	return spec, nil
}

func (c *cacheSpec) set(name, value string) {
	if !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
	c.values[name] = value
}

// setDefault sets a value unless it is given.
func (c *cacheSpec) setDefault(name, value string) {
	if _, given := c.values[name]; !given && value != "" {
		c.set(name, value)
	}
}

func (c *cacheSpec) remove(name string) {
	c.names = slices.DeleteFunc(c.names, func(n string) bool { return n == name })
	delete(c.values, name)
}

func (c *cacheSpec) rename(from, to string) {
	if value, given := c.values[from]; given {
		c.remove(from)
		c.set(to, value)
	}
}

func (c cacheSpec) String() string {
	var fields []string
	for _, name := range c.names {
		fields = append(fields, name+"="+c.values[name])
	}
	var line strings.Builder
	writer := csv.NewWriter(&line)
	_ = writer.Write(fields) // to memory
	writer.Flush()
	return strings.TrimSuffix(line.String(), "\n")
}

// completed returns caches with the settings for all of them: keys in place of Harness's placeholders,
// and how S3 is reached. setting is the one that has the caches.
func (s *Step) completed(setting string, caches []string) (completed []string, err error) {
	for _, text := range withType(caches) {
		spec, err := parseCacheSpec(text)
		if err == nil {
			err = s.complete(&spec)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", setting, err)
		}
		completed = append(completed, spec.String())
	}
	return completed, nil
}

// withType turns the names of images, as drone-docker has them, into caches.
func withType(caches []string) (all []string) {
	for _, value := range caches {
		if strings.Contains(value, "=") {
			all = append(all, value)
			continue
		}
		for ref := range strings.SplitSeq(value, ",") {
			all = append(all, "type=registry,ref="+strings.TrimSpace(ref))
		}
	}
	return all
}

// complete completes one cache.
func (s *Step) complete(spec *cacheSpec) error {
	if spec.values["type"] == "azure" {
		if err := spec.fromHarnessAzure(s.cacheKeys.azureAccount); err != nil {
			return err
		}
	}
	kind := spec.values["type"]
	switch {
	case kind == "":
		return errors.New("a cache has no type: write type=registry,ref=REPOSITORY:TAG")
	case kind == "gcs":
		return errors.New(noGCS)
	case !slices.Contains(cacheTypes, kind):
		return fmt.Errorf("BuildKit has no cache of type=%s: use one of %s", kind, strings.Join(cacheTypes, ", "))
	}
	for _, name := range slices.Clone(spec.names) {
		if !strings.HasPrefix(spec.values[name], "harness_placeholder_") {
			continue
		}
		value := map[string]string{
			"s3 access_key_id": s.cacheKeys.s3Access, "s3 secret_access_key": s.cacheKeys.s3Secret, "azblob secret_access_key": s.cacheKeys.azureAccount,
		}[kind+" "+name]
		if value == "" {
			spec.remove(name) // the builder has credentials of its own
		} else {
			spec.set(name, value)
		}
	}
	if kind == "s3" {
		if s.pathStyle {
			spec.setDefault("use_path_style", "true")
		}
		spec.setDefault("region", s.aws.Region)
		if (spec.values["access_key_id"] == "") != (spec.values["secret_access_key"] == "") {
			return errors.New("a cache of type=s3 has half a key: give access_key_id and secret_access_key, or PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY and PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY, or none of them")
		}
	}
	return s.completeTLS(spec, kind)
}

// completeTLS applies PLUGIN_CACHE_TLS_INSECURE, and takes away how Harness's BuildKit has it in a
// cache.
func (s *Step) completeTLS(spec *cacheSpec, kind string) error {
	insecure := s.cacheInsecure
	if value, given := spec.values["tls_insecure_skip_verify"]; given {
		insecure = value == "true"
		spec.remove("tls_insecure_skip_verify")
	}
	switch {
	case !insecure:
	case kind == "registry":
		spec.setDefault("registry.insecure", "true")
	case strings.HasPrefix(spec.values["endpoint_url"], "https://"):
		return fmt.Errorf("BuildKit checks the certificate of %s always: name its authority with HARNESS_CA_PATH, in place of PLUGIN_CACHE_TLS_INSECURE", spec.values["endpoint_url"])
	}
	return nil
}

// fromHarnessAzure turns a cache of Harness's BuildKit into one of type=azblob.
func (c *cacheSpec) fromHarnessAzure(accountKey string) error {
	if strings.HasPrefix(c.values["account_key"], "harness_placeholder_") {
		c.values["account_key"] = accountKey
	}
	if c.values["account_key"] == "" {
		return errors.New(noAzureLogin)
	}
	if c.values["account_name"] == "" && c.values["account_url"] == "" {
		return errors.New("a cache of type=azure has no account_name")
	}
	c.set("type", "azblob")
	for _, login := range []string{"tenant_id", "client_id", "client_secret", "oidc_token"} {
		c.remove(login)
	}
	c.rename("account_key", "secret_access_key")
	c.rename("container_name", "container")
	c.setDefault("account_url", "https://"+c.values["account_name"]+".blob.core.windows.net")
	return nil
}

// withIdentity returns caches with the keys of the step's AWS identity for those of type=s3 without
// keys, as docker buildx does it. A builder that is left alone uses its own.
func (s *Step) withIdentity(ctx context.Context, caches []string) (completed []string, err error) {
	for _, text := range caches {
		spec, err := parseCacheSpec(text)
		if err != nil || spec.values["type"] != "s3" || spec.values["access_key_id"] != "" || !s.inheritAuth && s.aws.AccessKey == "" && s.aws.Role == "" {
			completed = append(completed, text) // BuildKit has more to say about a cache that is none
			continue
		}
		identity := s.aws
		identity.Region = cmp.Or(identity.Region, spec.values["region"])
		keys, err := identity.Keys(ctx)
		if err != nil {
			err = fmt.Errorf("a cache of type=s3: %w", err)
			if registry.BadSettings(err) {
				err = project.BadInput(err)
			}
			return nil, err
		}
		spec.set("access_key_id", keys.AccessKey)
		spec.set("secret_access_key", keys.SecretKey)
		if keys.SessionToken != "" {
			spec.set("session_token", keys.SessionToken)
		}
		spec.setDefault("region", keys.Region)
		completed = append(completed, spec.String())
	}
	return completed, nil
}

// identify gives the caches in settings the keys of the step's AWS identity.
func (s *Step) identify(ctx context.Context, settings *project.Settings) (err error) {
	if settings.CacheFrom, err = s.withIdentity(ctx, settings.CacheFrom); err == nil {
		settings.CacheTo, err = s.withIdentity(ctx, settings.CacheTo)
	}
	return err
}

// secretsOfCaches returns the keys in the settings of caches.
func (s *Step) secretsOfCaches() (secrets []string) {
	for _, text := range slices.Concat(s.cacheFrom, s.cacheTo) {
		spec, err := parseCacheSpec(text)
		if err != nil {
			continue
		}
		for _, name := range []string{"secret_access_key", "session_token", "account_key", "client_secret", "oidc_token", "gcp_json_key", "token", "ghtoken"} {
			secrets = append(secrets, spec.values[name])
		}
	}
	return append(secrets, s.cacheKeys.s3Secret, s.cacheKeys.azureAccount, s.environment["ACTIONS_RUNTIME_TOKEN"])
}
