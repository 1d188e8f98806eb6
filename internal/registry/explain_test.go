package registry

import (
	"errors"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	const ref = "registry.example.com/ci/plugin:1"
	for name, tc := range map[string]struct{ text, want string }{
		"push without credentials": {
			`failed to solve: failed to push registry.example.com/ci/plugin:1: failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://auth.example.com/token: 401 Unauthorized`,
			"registry.example.com wants credentials for registry.example.com/ci/plugin, or has no such repository; run `docker login registry.example.com`, or set DOCKER_AUTH_CONFIG: ",
		},
		"push with other people's credentials": {
			`failed to solve: failed to push registry.example.com/ci/plugin:1: unexpected status from POST request to https://registry.example.com/v2/ci/plugin/blobs/uploads/: 403 Forbidden`,
			"these credentials do not allow access to registry.example.com/ci/plugin;",
		},
		"Docker Hub base that does not exist": {
			`failed to solve: failed to resolve source metadata for docker.io/harness/nope:1: docker.io/harness/nope:1: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`,
			"docker.io wants credentials for docker.io/harness/nope, or has no such repository; run `docker login`",
		},
		"immutable tag on ECR": {
			`failed to push registry.example.com/ci/plugin:1: unexpected status from PUT request: 400 Bad Request: tag invalid: The image tag '1' already exists in the 'ci/plugin' repository and cannot be overwritten because the tag is immutable.`,
			"registry.example.com/ci/plugin:1 already exists with another image, and its repository does not allow tags to be overwritten; use another tag, or keep the image that is there: with --skip-existing, in a CI step with PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true, for a function of a SAM template without --no-skip",
		},
		"immutable tag by its code": {
			`failed to push registry.example.com/ci/plugin:1: ImageTagAlreadyExistsException: words of next year`,
			"registry.example.com/ci/plugin:1 already exists with another image",
		},
		"pull limit": {
			`failed to resolve source metadata for docker.io/library/docker:28-cli: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit`,
			"docker.io limits the number of requests; wait, log in with `docker login`, or use a mirror",
		},
		"registry that is down": {
			`failed to do request: Head "https://registry.example.com/v2/ci/plugin/blobs/x": dial tcp 10.0.0.1:443: connect: connection refused`,
			"registry.example.com cannot be reached",
		},
		"download server that is down is not the registry": {
			`failed to load cache key: Get "https://files.example.com/go-template": dial tcp: lookup files.example.com: no such host`,
			"files.example.com cannot be reached",
		},
		"expired login to ECR Public": {
			`failed to resolve source metadata for public.ecr.aws/sam/build-java21:1: failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://public.ecr.aws/token/: 403 Forbidden: denied: Your Authorization Token has expired. Please run 'aws ecr-public get-login-password'`,
			"the login to public.ecr.aws has expired; log in again with `aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws`, or run `docker logout public.ecr.aws`",
		},
		"expired login to ECR Public, when BuildKit passes on only the status": {
			`failed to resolve source metadata for public.ecr.aws/sam/build-java21:1: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://public.ecr.aws/token/: 403 Forbidden`,
			"public.ecr.aws issues no token; the login may have expired: log in again with `aws ecr-public",
		},
		"login page for a manifest": {
			`failed to resolve source metadata for registry.example.com/ci/plugin:1: unexpected media type text/html for sha256:ab: not found`,
			"registry.example.com sent a web page instead of an image",
		},
		"push that is denied in the standard words": {
			`failed to solve: failed to push registry.example.com/ci/plugin:1: denied: requested access to the resource is denied`,
			"these credentials do not allow access to registry.example.com/ci/plugin;",
		},
		"push that is denied in one word, because BuildKit omits standard messages": {
			`failed to solve: failed to push registry.example.com/ci/plugin:1: denied`,
			"these credentials do not allow access to registry.example.com/ci/plugin;",
		},
		"push that wants credentials in one word": {
			`failed to solve: failed to push registry.example.com/ci/plugin:1: unauthorized`,
			"registry.example.com wants credentials for registry.example.com/ci/plugin",
		},
		"repository that ECR does not have": {
			`failed to push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/plugin:1: name unknown: The repository with name 'ci/plugin' does not exist in the registry with id '123456789012'`,
			"123456789012.dkr.ecr.eu-west-1.amazonaws.com has no repository 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/plugin and does not create it by itself; " +
				"create it first with `aws ecr create-repository --region eu-west-1 --repository-name ci/plugin`, or let samforge do it with --create-repository (in a CI step PLUGIN_CREATE_REPOSITORY=true)",
		},
		"cache whose tag may not move": {
			`failed to solve: error writing manifest blob: unknown: The image tag 'buildcache' already exists in the 'ci/plugin' repository and cannot be overwritten because the tag is immutable.`,
			"the cache of --cache-to (PLUGIN_CACHE_TO in a CI step) could not be written; add ignore-error=true",
		},
		"mount that is refused": {
			`failed to push registry.example.com/ci/plugin:1: unexpected status from POST request to https://registry.example.com/v2/ci/plugin/blobs/uploads/?from=base%2Fimage&mount=sha256%3Aab: 403 Forbidden`,
			"registry.example.com does not give layers of base/image to registry.example.com/ci/plugin; let these credentials read base/image",
		},
		"authority that the builder does not know": {
			`failed to do request: Head "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
			`the builder does not know the authority that signed the certificate of registry.example.com; name it in buildkitd.toml: [registry."registry.example.com"]`,
		},
		"registry in plain HTTP": {
			`Head "https://registry.example.com/v2/": http: server gave HTTP response to HTTPS client`,
			"registry.example.com speaks plain HTTP",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cause := errors.New(tc.text)
			err := Explain(cause, ref)
			if !strings.HasPrefix(err.Error(), tc.want) || !errors.Is(err, cause) || !strings.HasSuffix(err.Error(), tc.text) {
				t.Errorf("got  %v\nwant %s … and the original", err, tc.want)
			}
			if strings.Contains(err.Error(), "PLUGIN_USERNAME") {
				t.Errorf("only a step reads PLUGIN_USERNAME: %v", err)
			}
			if again := Explain(err, ref); again != err {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
}

// Without a builder there is no buildkitd.toml to change.
func TestExplainWithoutABuilder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`Get "https://registry.example.com/v2/": http: server gave HTTP response to HTTPS client`:                                  "registry.example.com speaks plain HTTP, and without a builder",
		`Get "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`: "this machine does not know the authority",
	} {
		err := explain(errors.New(text), "registry.example.com/ci/plugin:1")
		if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "buildkitd.toml") {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestExplainLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	cause := errors.New(`process "/bin/sh -c npm ci" did not complete successfully: exit code: 1`)
	if err := Explain(cause, "registry.example.com/ci/plugin:1"); err != cause {
		t.Errorf("got %v", err)
	}
	if err := Explain(nil, ""); err != nil {
		t.Errorf("got %v", err)
	}
}

// A file that may not be written here is not the registry's matter.
func TestExplainLeavesFilesOfThisMachineAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"failed to solve: open x.tar: permission denied", "mkdir cc: permission denied"} {
		if err := errors.New(text); Explain(err, "registry.example.com/ci/plugin:1") != err {
			t.Errorf("%s: got %v", text, Explain(err, "registry.example.com/ci/plugin:1"))
		}
	}
}
