package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/registry/awsfake"
)

// harnessStep is a Build and Push step of Harness.
type harnessStep struct {
	Step struct {
		Type string
		Spec struct {
			Region, Account, Host, Repo string
			Tags                        []string
			Target, Context, Dockerfile string
			Labels                      map[string]string
			ProjectID                   string            `yaml:"projectID"`
			ImageName                   string            `yaml:"imageName"`
			BuildArgs                   map[string]string `yaml:"buildArgs"`
			RemoteCacheImage            string            `yaml:"remoteCacheImage"`
			EnvSecrets                  map[string]string `yaml:"envDockerSecrets"`
			FileSecrets                 map[string]string `yaml:"fileDockerSecrets"`
			EnvVariables                map[string]string `yaml:"envVariables"`
		}
	}
}

// harnessVariables returns the variables that Harness hands to the container of a step on
// Kubernetes (PluginSettingUtils.java in https://github.com/harness/harness-core). expressions are
// what Harness replaces in the step, and placeholders of the documentation, each with its value.
func harnessVariables(t *testing.T, text string, expressions ...string) (env []string) {
	t.Helper()
	var steps []harnessStep
	must(t, yaml.Load([]byte(strings.NewReplacer(expressions...).Replace(text)), &steps))
	spec := steps[0].Step.Spec
	set := func(name, value string) {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	pairs := func(values map[string]string) string {
		var list []string
		for _, key := range slices.Sorted(maps.Keys(values)) {
			list = append(list, key+"="+values[key])
		}
		return strings.Join(list, ",")
	}
	switch steps[0].Step.Type {
	case "BuildAndPushECR":
		set("PLUGIN_REGISTRY", spec.Account+".dkr.ecr."+spec.Region+".amazonaws.com")
		set("PLUGIN_REGION", spec.Region)
		set("PLUGIN_REPO", spec.ImageName)
	case "BuildAndPushGAR":
		set("PLUGIN_REGISTRY", spec.Host+"/"+spec.ProjectID)
		set("PLUGIN_REPO", spec.ImageName)
		set("PLUGIN_JSON_KEY", stepSecrets["google_key"])
	case "BuildAndPushDockerRegistry": // the connector's URL, user and password
		set("PLUGIN_REGISTRY", "https://index.docker.io/v1/")
		set("PLUGIN_REPO", spec.Repo)
		set("PLUGIN_USERNAME", "your_user")
		set("PLUGIN_PASSWORD", ciPassword)
	default:
		t.Fatalf("the step is of the type %q", steps[0].Step.Type)
	}
	set("PLUGIN_TAGS", strings.Join(spec.Tags, ","))
	set("PLUGIN_DOCKERFILE", spec.Dockerfile)
	set("PLUGIN_CONTEXT", spec.Context)
	set("PLUGIN_TARGET", spec.Target)
	set("PLUGIN_BUILD_ARGS", pairs(spec.BuildArgs))
	set("PLUGIN_CUSTOM_LABELS", pairs(spec.Labels))
	set("PLUGIN_SNAPSHOT_MODE", "redo")
	if spec.RemoteCacheImage != "" {
		set("PLUGIN_ENABLE_CACHE", "true")
		set("PLUGIN_CACHE_REPO", spec.RemoteCacheImage)
	}
	set("PLUGIN_SECRETS_FROM_ENV", pairs(spec.EnvSecrets))
	set("PLUGIN_SECRETS_FROM_FILE", pairs(spec.FileSecrets))
	for name, value := range spec.EnvVariables {
		set(name, value)
	}
	return env
}

const seedRegistry = awsfake.Account + ".dkr.ecr.us-east-1.amazonaws.com"

// The examples of Harness's own documentation of Build and Push steps for Amazon ECR.
func TestHarnessExamplesOfECR(t *testing.T) {
	t.Parallel()
	b, aws := newStepBed(t, true)
	aws.Add("test-image", "")
	dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "app\n"})
	minimum := harnessVariables(t, `
- step:
    type: BuildAndPushECR
    name: BuildAndPushECR_1
    identifier: BuildAndPushECR_1
    spec:
      connectorRef: YOUR_AWS_CONNECTOR_ID
      region: us-east-1
      account: "12345"
      imageName: test-image
      tags:
        - latest
`, "12345", awsfake.Account)
	b.wantStep(t, b.step(dir, minimum...), seedRegistry+"/test-image:latest")

	// PLUGIN_SKIP_PUSH_IF_TAG_EXISTS is a stage variable in the example.
	skipping := append(harnessVariables(t, `
- step:
    type: BuildAndPushECR
    name: BuildAndPushECR_1
    identifier: BuildAndPushECR_1
    spec:
      connectorRef: YOUR_AWS_CONNECTOR
      region: YOUR_AWS_REGION
      account: YOUR_AWS_ACCOUNT
      imageName: YOUR_ECR_IMAGE_NAME
      tags:
        - YOUR_ECR_IMAGE_TAG
`, "YOUR_AWS_REGION", "us-east-1", "YOUR_AWS_ACCOUNT", awsfake.Account, "YOUR_ECR_IMAGE_NAME", "test-image", "YOUR_ECR_IMAGE_TAG", "1.0"),
		"PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true")
	digest := b.wantStep(t, b.step(dir, skipping...), seedRegistry+"/test-image:1.0")
	must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("another app\n"), 0o644))
	again := b.step(dir, append(skipping, "BUILDKIT_HOST=tcp://127.0.0.1:1")...)
	if got := b.wantStep(t, again, seedRegistry+"/test-image:1.0"); got != digest {
		t.Errorf("the tag has moved from %s to %s", digest, got)
	}
	t.Run("a cache whose tag does not move", func(t *testing.T) {
		for _, tag := range []string{"2", "3"} {
			must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("app "+tag), 0o644))
			b.wantStep(t, b.step(dir, append(minimum, "PLUGIN_ENABLE_CACHE=true", "PLUGIN_TAGS="+tag)...), seedRegistry+"/test-image:"+tag)
		}
	})
	t.Run("a cache that must be written", func(t *testing.T) {
		must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("app 4"), 0o644))
		r := b.step(dir, append(minimum, "PLUGIN_CACHE_TO=type=registry,ref="+seedRegistry+"/test-image:buildcache", "PLUGIN_TAGS=4")...)
		if r.code != 1 || !strings.Contains(r.stderr, "PLUGIN_CACHE_TO") || strings.Contains(r.stderr, "nothing was pushed") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
	t.Run("nothing keeps a key", func(t *testing.T) {
		b.wantStep(t, b.step(dir, append(minimum, "PLUGIN_TAGS=proven", "PLUGIN_BUILDX_OPTIONS=--provenance=mode=max")...), seedRegistry+"/test-image:proven")
		wantNotKept(t, b.Buildkitd.Root, "canary-of-the-role", awsfake.Password)
	})
	t.Run("a role for the push", func(t *testing.T) {
		role := "arn:aws:iam::" + awsfake.Account + ":role/push"
		b.wantStep(t, b.step(dir, append(minimum, "PLUGIN_TAGS=role", "PLUGIN_USER_ROLE_ARN="+role)...), seedRegistry+"/test-image:role")
		calls := aws.Calls()
		if last := calls[len(calls)-1]; last.Action != "ecr:GetAuthorizationToken" || last.Key != awsfake.RoleKey {
			t.Errorf("the last request to AWS is %+v", last)
		}
	})
	t.Run("a repository that is missing", func(t *testing.T) {
		missing := append(minimum, "PLUGIN_REPO=new-image")
		if r := b.step(dir, missing...); r.code != 1 || !strings.Contains(r.stderr, "PLUGIN_CREATE_REPOSITORY") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
		caches := []string{"PLUGIN_CREATE_REPOSITORY=true", "PLUGIN_CACHE_REPO=new-cache", "PLUGIN_ENABLE_CACHE=true", "PLUGIN_CACHE_TO=type=registry,ref=" + seedRegistry + "/newest-cache"}
		b.wantStep(t, b.step(dir, append(missing, caches...)...), seedRegistry+"/new-image:latest")
		for _, cache := range []string{"new-cache", "newest-cache"} {
			parsed, err := name.ParseReference(b.Registry.Addr + "/" + cache)
			must(t, err)
			if desc, err := remote.Head(parsed, remote.WithContext(t.Context())); err != nil || !desc.MediaType.IsImage() {
				t.Errorf("the cache %s is %+v, %v", cache, desc, err)
			}
		}
	})
}

// The example with several plugin variables, which pushes to Google's registry. The two editions of
// the page differ in the host.
func TestHarnessExampleOfGAR(t *testing.T) {
	t.Parallel()
	b, _ := newStepBed(t, false)
	dir := checkout(t, map[string]string{
		"harnessDockerfile": "FROM scratch AS dev-env\nARG foo\nARG hello\nLABEL args=\"$foo $hello\"\nCOPY app /app\nFROM scratch\nCOPY none /none\n",
		"app":               "app\n",
	})
	for _, host := range []string{"us-docker.pkg.dev/gar-prod-setup/harness-public", "us.gcr.io"} {
		env := harnessVariables(t, `
- step:
    identifier: pushGAR
    name: push GAR
    type: BuildAndPushGAR ## Type depends the selected Build and Push step, such as Docker, GAR, ACR, and so on.
    spec: ## Some parts of 'step.spec' vary by Build and Push step type (Docker, GAR, ACR, etc).
      connectorRef: GAR_CONNECTOR
      host: "us-docker.pkg.dev/gar-prod-setup/harness-public"
      projectID: "some-gcp-project"
      imageName: "some-image-name"
      tags:
        - "1.0"
        - "1.2"
      buildArgs:
        foo: bar
        hello: world
      labels:
        foo: bar
        hello: world
      target: dev-env
      context: "."
      dockerfile: "harnessDockerfile"
      remoteCacheImage: "test/cache"
      envVariables: ## Specify plugin runtime flags as environment variables under 'step.spec'.
        PLUGIN_TAR_PATH: ./harnesstarpath
        PLUGIN_IMAGE_DOWNLOAD_RETRY: "2"
        PLUGIN_COMPRESSED_CACHING: "false"
        PLUGIN_USE_NEW_RUN: "true"
        PLUGIN_GARBAGE: yoyo
`, "us-docker.pkg.dev/gar-prod-setup/harness-public", host)
		repository := host + "/some-gcp-project/some-image-name"
		r := b.step(dir, env...)
		digest := b.wantStep(t, r, repository+":1.0", repository+":1.2")
		for _, want := range []string{"PLUGIN_GARBAGE is no setting of this step", "PLUGIN_COMPRESSED_CACHING does nothing here", "PLUGIN_USE_NEW_RUN does nothing here"} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("no warning says %q:\n%s", want, r.stderr)
			}
		}
		_, path, _ := strings.Cut(repository, "/")
		image, err := b.Registry.ReadImage(t.Context(), b.Registry.Addr+"/"+path+"@"+digest, "linux/amd64")
		must(t, err)
		if labels := image.Config.Labels; labels["args"] != "bar world" || labels["foo"] != "bar" || labels["hello"] != "world" {
			t.Errorf("the labels are %v", labels)
		}
		b.digestOfTag(b.Registry.Addr + "/" + strings.TrimSuffix(path, "some-image-name") + "test/cache:latest") // fails without the cache
		if info, err := os.Stat(filepath.Join(dir, "harnesstarpath")); err != nil || info.Size() == 0 {
			t.Errorf("PLUGIN_TAR_PATH: %v", err)
		}
		must(t, os.Remove(filepath.Join(dir, "harnesstarpath")))
	}
}
