package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// A mistake in the settings is a sentence that names the setting. Nothing is built, nothing is created
// at AWS, and no secret is shown.
func TestStepMistakes(t *testing.T) {
	t.Parallel()
	aws, err := testenv.StartAWS()
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch AS app\nCOPY app /app\n", "broken": "FROM scratch\nCOPIE a b\n", "empty": "", "app": "app\n", "list.json": "[1]"})
	env := []string{
		"HTTPS_PROXY=" + aws.ProxyURL, "SSL_CERT_FILE=" + aws.CAFile, "AWS_CA_BUNDLE=" + aws.CAFile, "AWS_EC2_METADATA_DISABLED=true", "HOME=" + t.TempDir(),
		"AWS_ACCESS_KEY_ID=AKIAPOD", "AWS_SECRET_ACCESS_KEY=canary-of-the-pod", "BUILDKIT_HOST=tcp://127.0.0.1:1",
		"PLUGIN_CREATE_REPOSITORY=true", "PLUGIN_REGISTRY=" + testenv.AWSHost, "PLUGIN_REPO=team/app", "MY_SECRET=canary-of-the-secret",
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	const role = "PLUGIN_ASSUME_ROLE=arn:aws:iam::" + awsfake.Account + ":role/ci"
	keys := []string{"PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY=canary-of-the-key"}
	for name, c := range map[string]struct {
		settings []string
		failures map[string]string
		want     string
	}{
		"no repository":                   {[]string{"PLUGIN_REPO="}, nil, "PLUGIN_REPO is missing"},
		"a repository with a scheme":      {[]string{"PLUGIN_REPO=https://registry.example.com/a"}, nil, "PLUGIN_REPO: \"https://registry.example.com/a\" has a scheme"},
		"a repository with a password":    {[]string{"PLUGIN_REPO=ci:canary@registry.example.com/a"}, nil, "PLUGIN_REPO has a user in front of its host"},
		"a registry with a password":      {[]string{"PLUGIN_REGISTRY=https://ci:canary@registry.example.com"}, nil, "PLUGIN_REGISTRY has a user in front of its host: give it with PLUGIN_USERNAME"},
		"a registry without a host":       {[]string{"PLUGIN_REGISTRY=https://"}, nil, `PLUGIN_REGISTRY: "https://" is no registry`},
		"no region":                       {[]string{"PLUGIN_REGISTRY=", "PLUGIN_ACCOUNT=" + awsfake.Account}, nil, "PLUGIN_ACCOUNT needs a region: set PLUGIN_REGION"},
		"a region that is none":           {[]string{"PLUGIN_REGISTRY=", "PLUGIN_ACCOUNT=" + awsfake.Account, "PLUGIN_REGION=EU"}, nil, `PLUGIN_REGION: "EU" is no region of AWS`},
		"an account that is none":         {[]string{"PLUGIN_REGISTRY=", "PLUGIN_ACCOUNT=12345", "PLUGIN_REGION=" + testenv.AWSRegion}, nil, `PLUGIN_ACCOUNT: "12345" is not the number of an AWS account`},
		"no account and no credentials":   {[]string{"PLUGIN_REGISTRY=", "PLUGIN_REGION=" + testenv.AWSRegion, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, nil, "there are no credentials of AWS"},
		"no Dockerfile":                   {[]string{"PLUGIN_DOCKERFILE=Dockerfil"}, nil, `PLUGIN_DOCKERFILE: there is no Dockerfil: did you mean "Dockerfile"?`},
		"a Dockerfile that is a mistake":  {[]string{"PLUGIN_DOCKERFILE=broken"}, nil, "broken:2"},
		"an empty Dockerfile":             {[]string{"PLUGIN_DOCKERFILE=empty"}, nil, "empty has no instructions"},
		"a context with a token":          {[]string{"PLUGIN_CONTEXT=https://canary@git.example.com/app.git"}, nil, "PLUGIN_CONTEXT has a user or a password in its address"},
		"authorities that are none":       {[]string{"HARNESS_CA_PATH=app"}, nil, "HARNESS_CA_PATH: app has no certificate in PEM"},
		"a time in milliseconds":          {[]string{"SOURCE_DATE_EPOCH=1700000000000"}, nil, "SOURCE_DATE_EPOCH: \"1700000000000\" is after the year 9999"},
		"settings in a pipe":              {[]string{"PLUGIN_ENV_FILE=" + pipe}, nil, "PLUGIN_ENV_FILE: " + pipe + " is a pipe, not a file"},
		"a secret in a pipe":              {[]string{"PLUGIN_SECRETS_FROM_FILE=A=" + pipe}, nil, "what is given for the secret A is the path of no file"},
		"an image in a pipe":              {[]string{"PLUGIN_PUSH_ONLY=true", "PLUGIN_SOURCE_TAR_PATH=" + pipe}, nil, pipe + " is a pipe, not a file"},
		"a bake file without end":         {[]string{"PLUGIN_BAKE_FILE=/dev/zero"}, nil, "PLUGIN_BAKE_FILE: /dev/zero is or leads to a device, not a file"},
		"outputs into a pipe":             {[]string{"DRONE_OUTPUT=" + pipe}, nil, "DRONE_OUTPUT: "},
		"no context":                      {[]string{"PLUGIN_CONTEXT=nowhere"}, nil, "PLUGIN_CONTEXT: there is no nowhere"},
		"no folder in the context":        {[]string{"PLUGIN_CONTEXT_SUB_PATH=nowhere"}, nil, "PLUGIN_CONTEXT_SUB_PATH: there is no nowhere"},
		"no stage":                        {[]string{"PLUGIN_TARGET=ap"}, nil, `PLUGIN_TARGET: Dockerfile has no stage "ap": did you mean "app"?`},
		"half a key":                      {[]string{"PLUGIN_ACCESS_KEY=AKIAEXAMPLE"}, nil, "PLUGIN_ACCESS_KEY is given without PLUGIN_SECRET_KEY"},
		"a role that is none":             {[]string{"PLUGIN_ASSUME_ROLE=ci"}, nil, `PLUGIN_ASSUME_ROLE "ci" is not the ARN of a role`},
		"keys that AWS does not know":     {keys, map[string]string{"ecr:GetAuthorizationToken": "UnrecognizedClientException"}, "AWS does not know PLUGIN_ACCESS_KEY"},
		"keys and a role, both wrong":     {append(keys, role), map[string]string{"sts:AssumeRole": "InvalidClientTokenId"}, "AWS does not know PLUGIN_ACCESS_KEY"},
		"a role that trusts nobody":       {append(keys, role), map[string]string{"sts:AssumeRole": "AccessDenied"}, "PLUGIN_ASSUME_ROLE arn:aws:iam::123456789012:role/ci cannot be assumed"},
		"a token that has expired":        {[]string{role, "PLUGIN_OIDC_TOKEN_ID=canary-of-the-token"}, map[string]string{"sts:AssumeRoleWithWebIdentity": "ExpiredTokenException"}, "PLUGIN_OIDC_TOKEN_ID has expired"},
		"keys of the pod that expired":    {[]string{"PLUGIN_CREATE_REPOSITORY=false"}, map[string]string{"ecr:GetAuthorizationToken": "ExpiredTokenException"}, "the credentials of AWS have expired"},
		"a policy that is no JSON":        {[]string{"PLUGIN_LIFECYCLE_POLICY=Dockerfile"}, nil, "PLUGIN_LIFECYCLE_POLICY: Dockerfile is no JSON object"},
		"a policy that is a list":         {[]string{"PLUGIN_REPOSITORY_POLICY=list.json"}, nil, "PLUGIN_REPOSITORY_POLICY: list.json is no JSON object"},
		"the text of a policy":            {[]string{`PLUGIN_LIFECYCLE_POLICY={"rules": []}`}, nil, "PLUGIN_LIFECYCLE_POLICY is the path of a file"},
		"an illegal tag":                  {[]string{"PLUGIN_TAGS=feature/x"}, nil, `PLUGIN_TAGS: the tag "feature/x" is not legal`},
		"a suffix from a branch":          {[]string{"PLUGIN_AUTO_TAG=true", "DRONE_COMMIT_REF=refs/tags/v1.2.3", "PLUGIN_AUTO_TAG_SUFFIX=feature/x"}, nil, "PLUGIN_AUTO_TAG_SUFFIX: the tag \"1-feature/x\" is not legal"},
		"no default branch":               {[]string{"PLUGIN_AUTO_TAG=true", "DRONE_COMMIT_REF=refs/heads/main"}, nil, "PLUGIN_AUTO_TAG needs the default branch, whose tag is latest: set DRONE_REPO_BRANCH"},
		"to push only, and not to push":   {[]string{"PLUGIN_PUSH_ONLY=true", "PLUGIN_DRY_RUN=true"}, nil, "PLUGIN_PUSH_ONLY and PLUGIN_NO_PUSH contradict each other"},
		"to push only, without an image":  {[]string{"PLUGIN_PUSH_ONLY=true"}, nil, "PLUGIN_PUSH_ONLY and PLUGIN_SOURCE_TAR_PATH belong together"},
		"to push what is no image":        {[]string{"PLUGIN_PUSH_ONLY=true", "PLUGIN_SOURCE_TAR_PATH=app"}, nil, "PLUGIN_SOURCE_TAR_PATH: the image in app: "},
		"a secret without an ID":          {[]string{"PLUGIN_SECRETS_FROM_ENV=A=MY_SECRET,canary"}, nil, "PLUGIN_SECRETS_FROM_ENV: entry 2 of 2 is not of the form ID=VARIABLE"},
		"a secret in place of a variable": {[]string{"PLUGIN_SECRETS_FROM_ENV=A=canary"}, nil, "PLUGIN_SECRETS_FROM_ENV: what is given for the secret A is the name of no variable"},
		"a secret in place of a path":     {[]string{"PLUGIN_SECRETS_FROM_FILE=A=canary"}, nil, "PLUGIN_SECRETS_FROM_FILE: what is given for the secret A is the path of no file"},
		"two secrets of one ID":           {[]string{"PLUGIN_SECRETS_FROM_ENV=A=MY_SECRET", "PLUGIN_SECRETS_FROM_FILE=A=app"}, nil, "the secret A is given twice (PLUGIN_SECRETS_FROM_ENV)"},
		"a malformed secret":              {[]string{"PLUGIN_SECRET=A"}, nil, "PLUGIN_SECRET: "},
		"a key that is none":              {[]string{"PLUGIN_SSH_AGENT_KEY=canary"}, nil, "PLUGIN_SSH_AGENT_KEY: "},
		"a label without a value":         {[]string{"PLUGIN_CUSTOM_LABELS=team"}, nil, "PLUGIN_CUSTOM_LABELS"},
		"a cache that is none":            {[]string{"PLUGIN_CACHE_TO=type=nope"}, nil, "PLUGIN_CACHE_TO: BuildKit has no cache of type=nope"},
		"an output that is none":          {[]string{"PLUGIN_BUILDX_OPTIONS=--output=type=nope"}, nil, `PLUGIN_BUILDX_OPTIONS: --output type=nope: there is no type "nope"`},
		"a host without an address":       {[]string{"PLUGIN_ADD_HOST=db"}, nil, `PLUGIN_ADD_HOST: "db": expected HOST:IP`},
		"a platform that is none":         {[]string{"PLUGIN_PLATFORM=a/b/c/d"}, nil, `PLUGIN_PLATFORM: "a/b/c/d" is not a platform`},
		"docker save of two platforms":    {[]string{"PLUGIN_PLATFORM=linux/amd64,linux/arm64", "PLUGIN_TAR_PATH=image.tar"}, nil, "set PLUGIN_BUILDX_OUTPUT_FORMAT=oci"},
		"to push, and not to push":        {[]string{"PLUGIN_DRY_RUN=true", "PLUGIN_BUILDX_OPTIONS_SEMICOLON=--output=type=registry,name=registry.example.com/a"}, nil, "PLUGIN_NO_PUSH and an output in PLUGIN_BUILDX_OPTIONS that pushes contradict each other"},
		"a file in a file":                {[]string{"PLUGIN_ARTIFACT_FILE=app/artifact.json"}, nil, "PLUGIN_ARTIFACT_FILE: "},
		"a file that is a folder":         {[]string{"DRONE_OUTPUT=" + t.TempDir()}, nil, "DRONE_OUTPUT: "},
	} {
		t.Run(name, func(t *testing.T) {
			aws.Failures = c.failures
			calls := len(aws.Calls())
			b := &bed{t: t, Env: &testenv.Env{}, env: env}
			r := b.step(dir, c.settings...)
			if r.code != 2 || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "canary") || r.stdout != "" {
				t.Errorf("exit code %d, want 2 and %q:\n%s%s", r.code, c.want, r.stdout, r.stderr)
			}
			for _, call := range aws.Calls()[calls:] {
				if strings.Contains(call.Action, "Create") || strings.Contains(call.Action, "Put") || strings.Contains(call.Action, "Set") {
					t.Errorf("the step called %s in spite of the mistake", call.Action)
				}
			}
		})
	}
}

// An API of AWS that fails, or is not there, ends the step with a sentence and the exit code 1, before
// anything is built. The credentials that AWS gives are in no file.
func TestStepWithoutAWS(t *testing.T) {
	t.Parallel()
	aws, err := testenv.StartAWS()
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	closed := listener.Addr().String()
	must(t, listener.Close())
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	home := t.TempDir()
	b := &bed{t: t, Env: &testenv.Env{}, env: []string{
		"HTTPS_PROXY=" + aws.ProxyURL, "SSL_CERT_FILE=" + aws.CAFile, "AWS_CA_BUNDLE=" + aws.CAFile, "AWS_EC2_METADATA_DISABLED=true", "HOME=" + home, "BUILDKIT_HOST=tcp://127.0.0.1:1",
		"PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY=canary-of-the-key", "PLUGIN_REGISTRY=" + testenv.AWSHost, "PLUGIN_REPO=team/app",
	}}
	for name, c := range map[string]struct {
		setting, failure, want string
	}{
		"an answer of 500":          {"PLUGIN_CREATE_REPOSITORY=true", "ecr:CreateRepository", "AWS failed (ecr:CreateRepository answers 500); run it again"},
		"no login":                  {"PLUGIN_CREATE_REPOSITORY=false", "ecr:GetAuthorizationToken", "log in: AWS failed (ecr:GetAuthorizationToken answers 500)"},
		"an address without server": {"AWS_ENDPOINT_URL_ECR=http://" + closed, "", "AWS does not answer (" + closed + "); check PLUGIN_REGION"},
	} {
		t.Run(name, func(t *testing.T) {
			aws.Failures = map[string]string{c.failure: "ServerException"}
			if r := b.step(dir, c.setting); r.code != 1 || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "canary") {
				t.Errorf("exit code %d, want 1 and %q:\n%s", r.code, c.want, r.stderr)
			}
		})
	}
	must(t, filepath.WalkDir(home, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("the step wrote %s", name)
		}
		return err
	}))
}
