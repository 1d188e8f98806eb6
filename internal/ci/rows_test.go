package ci

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/bakefile/reader"
	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
)

// row is a setting in a step, and what it changes there.
type row struct {
	settings []string
	// with are further settings of the step, without which the setting does nothing.
	with []string
	// want are the fields that change, as FIELD: VALUE, in their order.
	want []string
	// online is true if the accounts at registries come from a cloud, which is then not asked.
	online bool
}

// rows has a test of what each setting does that does something, by its first name: what the builder
// is asked for, the accounts at registries, and the files that the step writes. What a registry or a
// cloud makes of it is tested in the integration tests.
func rows() map[string]row {
	ecr := []string{"PLUGIN_REGISTRY=123456789012.dkr.ecr.eu-west-1.amazonaws.com"}
	s3 := []string{"PLUGIN_CACHE_TO=type=s3,bucket=b,access_key_id=harness_placeholder_aws_creds,secret_access_key=harness_placeholder_aws_creds",
		"PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY=key", "PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY=secret"}
	return map[string]row{
		"PLUGIN_REPO":     {settings: []string{"PLUGIN_REPO=team/other"}, want: []string{"image.Refs: [registry.example.com/team/other:latest]"}},
		"PLUGIN_REGISTRY": {settings: []string{"PLUGIN_REGISTRY=https://other.example.com/v2/"}, want: []string{"image.Refs: [other.example.com/team/app:latest]"}},
		"PLUGIN_TAGS":     {settings: []string{"PLUGIN_TAGS=1, 2"}, want: []string{"image.Refs: [registry.example.com/team/app:1 registry.example.com/team/app:2]"}},
		"PLUGIN_AUTO_TAG": {settings: []string{"PLUGIN_AUTO_TAG=true"}, with: []string{"DRONE_COMMIT_REF=refs/tags/v0.2.3"}, want: []string{"image.Refs: [registry.example.com/team/app:0.2 registry.example.com/team/app:0.2.3]"}},
		"PLUGIN_AUTO_TAG_SUFFIX": {settings: []string{"PLUGIN_AUTO_TAG_SUFFIX=slim"}, with: []string{"PLUGIN_AUTO_TAG=true", "DRONE_COMMIT_REF=refs/tags/v0.2.3"},
			want: []string{"image.Refs: [registry.example.com/team/app:0.2-slim registry.example.com/team/app:0.2.3-slim]"}},
		"DRONE_COMMIT_REF":     {settings: []string{"DRONE_COMMIT_REF=refs/tags/1.0.0-rc1"}, with: []string{"PLUGIN_AUTO_TAG=true", "CI_COMMIT_REF=refs/heads/main", "DRONE_REPO_BRANCH=main"}, want: []string{"image.Refs: [registry.example.com/team/app:1.0.0-rc1]"}},
		"DRONE_REPO_BRANCH":    {settings: []string{"DRONE_REPO_BRANCH=trunk"}, with: []string{"PLUGIN_AUTO_TAG=true", "DRONE_COMMIT_REF=refs/heads/trunk"}, want: []string{"image.Refs: [registry.example.com/team/app:latest]"}},
		"PLUGIN_EXPAND_TAG":    {settings: []string{"PLUGIN_EXPAND_TAG=true"}, with: []string{"PLUGIN_TAGS=1.2.3"}, want: []string{"image.Refs: [registry.example.com/team/app:1 registry.example.com/team/app:1.2 registry.example.com/team/app:1.2.3]"}},
		"DRONE_COMMIT_SHA":     {settings: []string{"DRONE_COMMIT_SHA=0123"}, want: []string{"options.Labels: map[org.opencontainers.image.revision:0123]"}},
		"DRONE_REMOTE_URL":     {settings: []string{"DRONE_REMOTE_URL=https://git.example.com/app.git"}, want: []string{"options.Labels: map[org.opencontainers.image.source:https://git.example.com/app.git]"}},
		"PLUGIN_REPO_LINK":     {settings: []string{"PLUGIN_REPO_LINK=https://git.example.com/app"}, want: []string{"options.Labels: map[org.opencontainers.image.url:https://git.example.com/app]"}},
		"PLUGIN_AUTO_LABEL":    {settings: []string{"PLUGIN_AUTO_LABEL=false"}, with: []string{"DRONE_COMMIT_SHA=0123"}, want: []string{"options.Labels: map[]"}},
		"PLUGIN_CUSTOM_LABELS": {settings: []string{"PLUGIN_CUSTOM_LABELS=a=b,c=d"}, want: []string{"options.Labels: map[a:b c:d]"}},
		"PLUGIN_LABEL_SCHEMA":  {settings: []string{"PLUGIN_LABEL_SCHEMA=a=b"}, want: []string{"options.Labels: map[org.label-schema.a:b]"}},

		"PLUGIN_DOCKERFILE":          {settings: []string{"PLUGIN_DOCKERFILE=sub/Other"}, want: []string{"image.File: sub/Other"}},
		"PLUGIN_CONTEXT":             {settings: []string{"PLUGIN_CONTEXT=sub"}, want: []string{"image.Context: sub", "image.File: Dockerfile"}},
		"PLUGIN_CONTEXT_SUB_PATH":    {settings: []string{"PLUGIN_CONTEXT_SUB_PATH=sub"}, want: []string{"image.Context: sub", "image.File: Dockerfile"}},
		"PLUGIN_TARGET":              {settings: []string{"PLUGIN_TARGET=tests"}, want: []string{"image.Stage: tests"}},
		"PLUGIN_BUILD_ARGS":          {settings: []string{"PLUGIN_BUILD_ARGS=A=1,B"}, with: []string{"B=2"}, want: []string{"image.Args: map[A:1 B:2]"}},
		"PLUGIN_BUILD_ARGS_NEW":      {settings: []string{"PLUGIN_BUILD_ARGS_NEW=A=1,2;B=3"}, want: []string{"image.Args: map[A:1,2 B:3]"}},
		"PLUGIN_MULTIPLE_BUILD_ARGS": {settings: []string{"PLUGIN_MULTIPLE_BUILD_ARGS=true"}, with: []string{"PLUGIN_BUILD_ARGS=A=1", "PLUGIN_BUILD_ARGS_NEW=A=2"}, want: []string{"image.Args: map[A:2]"}},
		"PLUGIN_BUILD_ARGS_FROM_ENV": {settings: []string{"PLUGIN_BUILD_ARGS_FROM_ENV=MINE,NOT_THERE"}, with: []string{"MINE=1"}, want: []string{"image.Args: map[MINE:1]"}},
		"PLUGIN_PLATFORM":            {settings: []string{"PLUGIN_PLATFORM=linux/amd64,linux/arm64"}, want: []string{"image.Platforms: [linux/amd64 linux/arm64]"}},
		"PLUGIN_ADD_HOST":            {settings: []string{"PLUGIN_ADD_HOST=db:10.0.0.1"}, want: []string{"options.AddHosts: [db:10.0.0.1]"}},
		"PLUGIN_NO_CACHE":            {settings: []string{"PLUGIN_NO_CACHE=true"}, want: []string{"options.NoCache: true"}},
		"PLUGIN_QUIET":               {settings: []string{"PLUGIN_QUIET=true"}, want: []string{"options.Progress: quiet"}},
		"PLUGIN_REPRODUCIBLE":        {settings: []string{"PLUGIN_REPRODUCIBLE=true"}, want: []string{"options.RewriteTimestamp: true"}},
		"PLUGIN_BUILDX_OPTIONS": {settings: []string{"PLUGIN_BUILDX_OPTIONS=--target=tests,--build-context=files=sub,--ulimit=nofile=64:128,--shm-size=1m,-t,team/other"},
			want: []string{"image.Attrs: map[shm-size:1048576 ulimit:nofile=64:128]", "image.BuildContexts: [files=sub]", "image.Refs: [registry.example.com/team/app:latest team/other:latest]", "image.Stage: tests"}},
		"PLUGIN_BUILDX_OPTIONS_SEMICOLON": {settings: []string{"PLUGIN_BUILDX_OPTIONS_SEMICOLON=--label=a=b,c;--annotation=index:a=b;--provenance=mode=max"}, want: []string{"options.Annotations: [index:a=b]", "options.Attests: [type=provenance,mode=max]", "options.Labels: map[a:b,c]"}},
		"PLUGIN_BUILDER_REMOTE_CONN":      {settings: []string{"PLUGIN_BUILDER_REMOTE_CONN=tcp://buildkitd:1234"}, want: []string{"options.Builder.Address: tcp://buildkitd:1234"}},
		"PLUGIN_BAKE_FILE":                {settings: []string{"PLUGIN_BAKE_FILE=bake.json"}, want: []string{"image.Args: map[A:1]", "image.File: Dockerfile", "image.Name: one", "image.Refs: [registry.example.com/one:1]"}},
		"PLUGIN_BAKE_OPTIONS": {settings: []string{"PLUGIN_BAKE_OPTIONS=two;--set=two.args.A=2"}, with: []string{"PLUGIN_BAKE_FILE=bake.json"},
			want: []string{"image.Args: map[A:2]", "image.Name: two", "image.Refs: [registry.example.com/two:1]"}},

		"PLUGIN_DRY_RUN":                         {settings: []string{"PLUGIN_DRY_RUN=true"}, want: []string{"options.DryRun: true", "options.Push: false"}},
		"PLUGIN_TAR_PATH":                        {settings: []string{"PLUGIN_TAR_PATH=out/image.tar"}, want: []string{"options.Outputs: [type=docker,dest=out/image.tar]"}},
		"PLUGIN_BUILDX_OUTPUT_FORMAT":            {settings: []string{"PLUGIN_BUILDX_OUTPUT_FORMAT=oci"}, with: []string{"PLUGIN_TAR_PATH=image.tar"}, want: []string{"options.Outputs: [type=oci,dest=image.tar]"}},
		"PLUGIN_OCI_LAYOUT_PATH":                 {settings: []string{"PLUGIN_OCI_LAYOUT_PATH=layout"}, want: []string{"options.Outputs: [type=oci,tar=false,dest=layout]"}},
		"PLUGIN_ARTIFACT_FILE":                   {settings: []string{"PLUGIN_ARTIFACT_FILE=written/a.json"}, want: []string{`file written/a.json: {"kind":"docker/v1","data":{"registryType":"Docker","registryUrl":"registry.example.com","images":[{"image":"registry.example.com/team/app:latest","digest":"sha256:1"}]}}`}},
		"PLUGIN_REGISTRY_TYPE":                   {settings: []string{"PLUGIN_REGISTRY_TYPE=GAR"}, with: []string{"PLUGIN_ARTIFACT_FILE=written/a.json"}, want: []string{`file written/a.json: {"kind":"docker/v1","data":{"registryType":"GAR","registryUrl":"registry.example.com","images":[{"image":"registry.example.com/team/app:latest","digest":"sha256:1"}]}}`}},
		"PLUGIN_METADATA_FILE":                   {settings: []string{"PLUGIN_METADATA_FILE=metadata.json"}, want: []string{"options.MetadataFile: metadata.json"}},
		"PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE":     {settings: []string{"PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE=written/name"}, want: []string{"file written/name: registry.example.com/team/app@sha256:1"}},
		"PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE": {settings: []string{"PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE=written/name"}, want: []string{"file written/name: registry.example.com/team/app:latest@sha256:1"}},
		"DRONE_OUTPUT":                           {settings: []string{"DRONE_OUTPUT=written/output"}, want: []string{`file written/output: digest="sha256:1"`}},
		"PLUGIN_SKIP_PUSH_PERMISSION_CHECK":      {settings: []string{"PLUGIN_SKIP_PUSH_PERMISSION_CHECK=true"}, want: []string{"options.CheckPush: false", "step.skipPushCheck: true"}},
		"PLUGIN_SKIP_PUSH_IF_TAG_EXISTS":         {settings: []string{"PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true"}, want: []string{"step.skipIfExists: true"}},
		"PLUGIN_PUSH_ONLY":                       {settings: []string{"PLUGIN_PUSH_ONLY=true", "PLUGIN_SOURCE_TAR_PATH=image.tar"}, want: []string{"step.pushOnly: true", "step.sourceTar: image.tar"}},
		"PLUGIN_SOURCE_TAR_PATH":                 {settings: []string{"PLUGIN_SOURCE_TAR_PATH=other.tar", "PLUGIN_PUSH_ONLY=true"}, want: []string{"step.pushOnly: true", "step.sourceTar: other.tar"}},

		"PLUGIN_USERNAME":            {settings: []string{"PLUGIN_USERNAME=me", "PLUGIN_PASSWORD=secret"}, want: []string{"logins: registry.example.com/team/app=me:secret registry.example.com=me:secret"}},
		"PLUGIN_PASSWORD":            {settings: []string{"PLUGIN_PASSWORD=other", "PLUGIN_USERNAME=me"}, want: []string{"logins: registry.example.com/team/app=me:other registry.example.com=me:other"}},
		"ACCESS_TOKEN":               {settings: []string{"ACCESS_TOKEN=token"}, want: []string{"logins: registry.example.com/team/app=oauth2accesstoken:token registry.example.com=oauth2accesstoken:token"}},
		"PLUGIN_BASE_IMAGE_REGISTRY": {settings: []string{"PLUGIN_BASE_IMAGE_REGISTRY=https://base.example.com/v2/"}, with: []string{"PLUGIN_BASE_IMAGE_USERNAME=me", "PLUGIN_BASE_IMAGE_PASSWORD=secret"}, want: []string{"logins: base.example.com=me:secret"}},
		"PLUGIN_BASE_IMAGE_USERNAME": {settings: []string{"PLUGIN_BASE_IMAGE_USERNAME=me", "PLUGIN_BASE_IMAGE_PASSWORD=secret"}, want: []string{"logins: docker.io=me:secret"}},
		"PLUGIN_BASE_IMAGE_PASSWORD": {settings: []string{"PLUGIN_BASE_IMAGE_PASSWORD=other", "PLUGIN_BASE_IMAGE_USERNAME=me"}, want: []string{"logins: docker.io=me:other"}},
		"PLUGIN_CONFIG":              {settings: []string{`PLUGIN_CONFIG={"auths": {"https://other.example.com/v1/": {"auth": "bWU6c2VjcmV0"}}}`}, want: []string{"logins: other.example.com=me:secret"}},
		"PLUGIN_SECRETS_FROM_ENV":    {settings: []string{"PLUGIN_SECRETS_FROM_ENV=id=MINE"}, with: []string{"MINE=1"}, want: []string{"options.Secrets: [id=id,env=MINE]"}},
		"PLUGIN_SECRETS_FROM_FILE":   {settings: []string{"PLUGIN_SECRETS_FROM_FILE=id=sub/Other"}, want: []string{"options.Secrets: [id=id,src=sub/Other]"}},
		"PLUGIN_SECRET":              {settings: []string{"PLUGIN_SECRET=id=mine,env=MINE"}, want: []string{"options.Secrets: [id=mine,env=MINE]"}},
		"PLUGIN_SSH_AGENT_KEY":       {settings: []string{"PLUGIN_SSH_AGENT_KEY=key"}, want: []string{"step.sshKey: key"}},

		"PLUGIN_REGION":            {settings: []string{"PLUGIN_REGION=eu-west-1"}, want: []string{"aws.Region: eu-west-1"}},
		"PLUGIN_ACCOUNT":           {settings: []string{"PLUGIN_ACCOUNT=210987654321", "PLUGIN_REGISTRY=", "PLUGIN_REGION=eu-west-1"}, want: []string{"aws.Region: eu-west-1", "image.Refs: [210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/app:latest]"}},
		"PLUGIN_ACCESS_KEY":        {settings: []string{"PLUGIN_ACCESS_KEY=key", "PLUGIN_SECRET_KEY=secret"}, with: ecr, want: []string{"aws.AccessKey: key", "aws.SecretKey: secret"}},
		"PLUGIN_SECRET_KEY":        {settings: []string{"PLUGIN_SECRET_KEY=other", "PLUGIN_ACCESS_KEY=key"}, with: ecr, want: []string{"aws.AccessKey: key", "aws.SecretKey: other"}},
		"PLUGIN_SESSION_TOKEN":     {settings: []string{"PLUGIN_SESSION_TOKEN=token"}, with: append(ecr, "PLUGIN_ACCESS_KEY=key", "PLUGIN_SECRET_KEY=secret"), want: []string{"aws.SessionToken: token"}},
		"PLUGIN_ASSUME_ROLE":       {settings: []string{"PLUGIN_ASSUME_ROLE=arn:aws:iam::123456789012:role/ci"}, with: ecr, want: []string{"aws.Role: arn:aws:iam::123456789012:role/ci"}},
		"PLUGIN_EXTERNAL_ID":       {settings: []string{"PLUGIN_EXTERNAL_ID=id"}, with: append(ecr, "PLUGIN_ASSUME_ROLE=arn:aws:iam::123456789012:role/ci"), want: []string{"aws.ExternalID: id"}},
		"PLUGIN_OIDC_TOKEN_ID":     {settings: []string{"PLUGIN_OIDC_TOKEN_ID=a.b.c"}, with: append(ecr, "PLUGIN_ASSUME_ROLE=arn:aws:iam::123456789012:role/ci"), want: []string{"aws.IDToken: a.b.c"}},
		"PLUGIN_CREATE_REPOSITORY": {settings: []string{"PLUGIN_CREATE_REPOSITORY=true"}, with: ecr, want: []string{"step.createRepository: true"}},
		"PLUGIN_SCAN_ON_PUSH":      {settings: []string{"PLUGIN_SCAN_ON_PUSH=true"}, with: ecr, want: []string{"repositories.ScanOnPush: true"}},
		"PLUGIN_LIFECYCLE_POLICY":  {settings: []string{"PLUGIN_LIFECYCLE_POLICY=policy.json"}, with: ecr, want: []string{"step.lifecyclePolicy: policy.json"}},
		"PLUGIN_REPOSITORY_POLICY": {settings: []string{"PLUGIN_REPOSITORY_POLICY=policy.json"}, with: ecr, want: []string{"step.repositoryPolicy: policy.json"}},

		"PLUGIN_JSON_KEY":                         {settings: []string{"PLUGIN_JSON_KEY={}"}, want: []string{"logins: registry.example.com/team/app=_json_key:{} registry.example.com=_json_key:{}"}},
		"PLUGIN_BUILDER_CONFIG":                   {settings: []string{"PLUGIN_BUILDER_CONFIG=buildkitd.toml"}, want: []string{"config.File: buildkitd.toml", "config.For: [PLUGIN_BUILDER_CONFIG]", "config.Mirrors: docker.io=[mirror.example.com]"}},
		"PLUGIN_PUSH_RETRY":                       {settings: []string{"PLUGIN_PUSH_RETRY=5"}, want: []string{"step.tries: 6"}},
		"PLUGIN_IMAGE_DOWNLOAD_RETRY":             {settings: []string{"PLUGIN_IMAGE_DOWNLOAD_RETRY=6"}, with: []string{"PLUGIN_PUSH_RETRY=5"}, want: []string{"step.tries: 7"}},
		"CLIENT_CERTIFICATE":                      {settings: []string{"CLIENT_CERTIFICATE=cert"}, online: true, want: []string{"azure.Certificate: cert"}},
		"AZURE_CLIENT_CERTIFICATE_PASSWORD":       {settings: []string{"AZURE_CLIENT_CERTIFICATE_PASSWORD=p"}, online: true, want: []string{"azure.Password: p"}},
		"AZURE_AUTHORITY_HOST":                    {settings: []string{"AZURE_AUTHORITY_HOST=https://login.example.com"}, online: true, want: []string{"azure.AuthorityHost: https://login.example.com"}},
		"PLUGIN_BUILDKIT_RESPONSE_HEADER_TIMEOUT": {settings: []string{"PLUGIN_BUILDKIT_RESPONSE_HEADER_TIMEOUT=30s"}, want: []string{"step.silence: 30s"}},
		"CLIENT_ID":                               {settings: []string{"CLIENT_ID=id", "CLIENT_SECRET=secret"}, want: []string{"azure.ClientID: id", "logins: registry.example.com/team/app=id:secret registry.example.com=id:secret"}},
		"CLIENT_SECRET":                           {settings: []string{"CLIENT_SECRET=other", "CLIENT_ID=id"}, want: []string{"azure.ClientID: id", "logins: registry.example.com/team/app=id:other registry.example.com=id:other"}},

		"PLUGIN_CACHE_FROM":   {settings: []string{"PLUGIN_CACHE_FROM=type=local,src=cache;registry.example.com/a"}, want: []string{"options.CacheFrom: [type=local,src=cache type=registry,ref=registry.example.com/a]"}},
		"PLUGIN_CACHE_TO":     {settings: []string{"PLUGIN_CACHE_TO=type=local,dest=cache,mode=max;type=inline"}, want: []string{"options.CacheTo: [type=local,dest=cache,mode=max type=inline]"}},
		"PLUGIN_ENABLE_CACHE": {settings: []string{"PLUGIN_ENABLE_CACHE=true"}, want: []string{"options.CacheFrom: [type=registry,ref=registry.example.com/team/app:buildcache]", "options.CacheTo: [type=registry,mode=max,ignore-error=true,ref=registry.example.com/team/app:buildcache]"}},
		"PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY": {settings: []string{"PLUGIN_HARNESS_SELF_HOSTED_S3_ACCESS_KEY=other"}, with: s3,
			want: []string{"options.CacheTo: [type=s3,bucket=b,access_key_id=other,secret_access_key=secret]"}},
		"PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY": {settings: []string{"PLUGIN_HARNESS_SELF_HOSTED_S3_SECRET_KEY=other"}, with: s3,
			want: []string{"options.CacheTo: [type=s3,bucket=b,access_key_id=key,secret_access_key=other]"}},
		"PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY": {settings: []string{"PLUGIN_HARNESS_SELF_HOSTED_AZURE_ACCOUNT_KEY=key"}, with: []string{"PLUGIN_CACHE_FROM=type=azblob,account_url=https://a.example.com,secret_access_key=harness_placeholder_azure_creds"},
			want: []string{"options.CacheFrom: [type=azblob,account_url=https://a.example.com,secret_access_key=key]"}},
		"PLUGIN_PATH_STYLE":         {settings: []string{"PLUGIN_PATH_STYLE=true"}, with: s3, want: []string{"options.CacheTo: [type=s3,bucket=b,access_key_id=key,secret_access_key=secret,use_path_style=true]"}},
		"PLUGIN_CACHE_TLS_INSECURE": {settings: []string{"PLUGIN_CACHE_TLS_INSECURE=true"}, with: []string{"PLUGIN_CACHE_TO=registry.example.com/a"}, want: []string{"options.CacheTo: [type=registry,ref=registry.example.com/a,registry.insecure=true]"}},
		"PLUGIN_CACHE_REPO":         {settings: []string{"PLUGIN_CACHE_REPO=team/cache"}, with: []string{"PLUGIN_ENABLE_CACHE=true"}, want: []string{"options.CacheFrom: [type=registry,ref=registry.example.com/team/cache]", "options.CacheTo: [type=registry,mode=max,ignore-error=true,ref=registry.example.com/team/cache]"}},
	}
}

// testedElsewhere are settings with a test of their own, and the functions of this folder that use them.
func testedElsewhere() map[string]string {
	return map[string]string{
		"PLUGIN_COSIGN_PRIVATE_KEY": "TestSigner", "PLUGIN_COSIGN_PASSWORD": "TestSigner", "PLUGIN_COSIGN_PARAMS": "TestSigner",
		"PLUGIN_PROJECT_NUMBER": "TestLogins", "PLUGIN_POOL_ID": "TestLogins", "PLUGIN_PROVIDER_ID": "TestLogins", "PLUGIN_SERVICE_ACCOUNT_EMAIL": "TestLogins",
		"TENANT_ID": "TestLogins", "PLUGIN_BUILDKIT_INHERIT_AUTH": "TestCachesOfTheIdentity", "DRONE_CARD_PATH": "TestCard",
		"PLUGIN_REGISTRY_MIRRORS": "TestConfig", "PLUGIN_INSECURE": "TestConfig", "PLUGIN_INSECURE_PULL": "TestConfig", "PLUGIN_INSECURE_REGISTRY": "TestConfig",
		"PLUGIN_SKIP_TLS_VERIFY": "TestConfig", "PLUGIN_SKIP_TLS_VERIFY_PULL": "TestConfig", "PLUGIN_SKIP_TLS_VERIFY_REGISTRY": "TestConfig",
		"PLUGIN_REGISTRY_CERTIFICATE": "TestConfig", "PLUGIN_REGISTRY_CLIENT_CERT": "TestConfig", "PLUGIN_CUSTOM_DNS": "TestConfig", "PLUGIN_CUSTOM_DNS_SEARCH": "TestConfig",
		"PLUGIN_ENV_FILE": "TestEnvFile", "HARNESS_CA_PATH": "TestConfig", "PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK": "TestConfig",
	}
}

// testFunctions returns the source of the test functions in this folder, by their names.
func testFunctions(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range strings.Split(string(data), "\nfunc ")[1:] {
			name, body, _ := strings.Cut(function, "(")
			found[name] = body
		}
	}
	return found
}

// No setting that does something is without a test of what it does.
func TestRows(t *testing.T) {
	functions := testFunctions(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile": "FROM scratch AS tests\nFROM scratch\n", "sub/Other": "FROM scratch\n", "sub/Dockerfile": "FROM scratch\n", "policy.json": "{}",
		"buildkitd.toml": "debug = true\n[registry.\"docker.io\"]\n  mirrors = [\"mirror.example.com\"]\n",
		"bake.json": `{"group": {"default": {"targets": ["one"]}}, "target": {
			"one": {"args": {"A": "1"}, "tags": ["registry.example.com/one:1"]}, "two": {"inherits": ["one"], "tags": ["registry.example.com/two:1"]}}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	all, elsewhere := rows(), testedElsewhere()
	for _, setting := range Settings() {
		name := setting.Names[0]
		row, there := all[name]
		delete(all, name)
		switch {
		case setting.Does == "":
		case elsewhere[name] != "":
			body := functions[elsewhere[name]]
			if !slices.ContainsFunc(setting.Names, func(name string) bool { return strings.Contains(body, name+"=") }) {
				t.Errorf("%s is not in %s", name, elsewhere[name])
			}
		case !there:
			t.Errorf("%s has no test of what it does", name)
		default:
			t.Run(name, row.test)
		}
	}
	for name := range all {
		t.Errorf("there is no setting %s", name)
	}
}

func (r row) test(t *testing.T) {
	base := append([]string{"PLUGIN_REGISTRY=registry.example.com", "PLUGIN_REPO=team/app"}, r.with...)
	after := effects(t, append(base, r.settings...), !r.online)
	before := map[string]string{}
	if !slices.Contains(r.with, "PLUGIN_AUTO_TAG=true") || slices.ContainsFunc(r.with, func(s string) bool { return strings.HasPrefix(s, "CI_") }) {
		before = effects(t, base, !r.online)
	}
	var changed []string
	for _, field := range slices.Sorted(maps.Keys(after)) {
		if before[field] != after[field] && (len(before) > 0 || field == "image.Refs") {
			changed = append(changed, field+": "+after[field])
		}
	}
	if !slices.Equal(changed, r.want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(changed, "\n"), strings.Join(r.want, "\n"))
	}
}

// effects returns what a step with these settings asks a builder and registries for, and the files that
// it writes about an image with the digest sha256:1, by their names.
func effects(t *testing.T, settings []string, logins bool) map[string]string {
	t.Helper()
	found := map[string]string{}
	must := func(err error) {
		if err != nil {
			t.Fatalf("%q: %v", settings, err)
		}
	}
	s, _, err := Read(settings)
	must(err)
	images, err := s.images(t.Context(), Options{Stderr: io.Discard, ReadBake: reader.Read})
	must(err)
	var p *project.Project
	if !s.pushOnly {
		p, err = project.LoadDockerfiles(images)
		must(err)
	}
	built := build.Built{}
	for _, image := range images {
		flatten(found, "image", reflect.ValueOf(image))
		for _, ref := range image.Refs {
			built.Refs = append(built.Refs, build.Ref{Name: ref, Digest: "sha256:1"})
		}
	}
	opt, err := s.options(t.Context(), nil)
	must(err)
	flatten(found, "options", reflect.ValueOf(opt))
	config, err := s.config(p, references(images))
	must(err)
	found["config.File"], found["config.For"] = config.File, fmt.Sprint(config.For)
	for host, registry := range config.Registries {
		found["config.Mirrors"] += host + "=" + fmt.Sprint(registry.Mirrors)
	}
	flatten(found, "aws", reflect.ValueOf(s.aws))
	flatten(found, "repositories", reflect.ValueOf(s.repositories))
	flatten(found, "azure", reflect.ValueOf(s.azure))
	if logins {
		all, err := s.logins(t.Context())
		must(err)
		var accounts []string
		for _, login := range all {
			accounts = append(accounts, login.Scope+"="+login.Username+":"+login.Password)
		}
		found["logins"] = strings.Join(accounts, " ")
	}
	for name, value := range map[string]any{ // what the step itself asks
		"skipIfExists": s.skipIfExists, "skipPushCheck": s.skipPushCheck, "silence": s.silence, "tries": s.reach.tries(), "pushOnly": s.pushOnly, "sourceTar": s.sourceTar, "sshKey": s.sshKey, "createRepository": s.createRepository,
		"lifecyclePolicy": s.lifecyclePolicy, "repositoryPolicy": s.repositoryPolicy,
	} {
		found["step."+name] = fmt.Sprint(value)
	}
	must(os.MkdirAll("written", 0o755))
	must(s.writeOutputs([]build.Built{built}, nil, built.Refs))
	written, err := os.ReadDir("written")
	must(err)
	for _, file := range written {
		data, err := os.ReadFile(filepath.Join("written", file.Name()))
		must(err)
		found["file written/"+file.Name()] = strings.NewReplacer("\n", "", "\t", "", `": `, `":`).Replace(string(data))
	}
	must(os.RemoveAll("written"))
	return found
}

// flatten adds the exported fields of a struct under their names, and those of structs in it.
func flatten(into map[string]string, name string, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		if v.Kind() != reflect.Func && v.Kind() != reflect.Interface {
			into[name] = fmt.Sprint(v.Interface())
		}
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		inner := name
		if !field.Anonymous {
			inner += "." + field.Name
		}
		flatten(into, inner, v.Field(i))
	}
}
