package main

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/registry/awsfake"
)

const oneFunction = "Resources:\n  HelloFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
	"    Metadata: {Dockerfile: Dockerfile, DockerContext: .}\n"

// awsEnvironment sets up an environment with credentials of AWS, and a server for its APIs.
func awsEnvironment(t *testing.T) *awsfake.Server {
	t.Helper()
	fake := &awsfake.Server{Failures: map[string]string{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "DOCKER_CONFIG": home, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-of-the-key", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_STS": server.URL, "AWS_ENDPOINT_URL_ECR": server.URL,
	} {
		t.Setenv(name, value)
	}
	return fake
}

// What is wrong with the identity or its rights is a mistake in the input, found before a builder is
// looked for.
func TestMistakesOfRepositories(t *testing.T) {
	const builder = " --builder tcp://127.0.0.1:1"
	for name, tc := range map[string]struct {
		line     string
		failures map[string]string
		want     string
	}{
		"no region":            {"package --resolve-image-repos", nil, "--resolve-image-repos: AWS needs a region: give --region, or set AWS_REGION"},
		"a profile":            {"package --resolve-image-repos --region eu-west-1 --profile nope", nil, "check --profile (AWS_PROFILE)"},
		"expired credentials":  {"package --resolve-image-repos --region eu-west-1", map[string]string{"sts:GetCallerIdentity": "ExpiredToken"}, "the credentials of AWS have expired"},
		"without a push":       {"build --create-repository", nil, "--create-repository is for a push: add --push"},
		"no right to create":   {"build --push --create-repository --repo 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app --tag-template a" + builder, map[string]string{"ecr:CreateRepository": "AccessDeniedException"}, "--create-repository: create the repository 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app: the credentials of AWS do not allow ecr:CreateRepository"},
		"no right to the repo": {"package --resolve-image-repos --region eu-west-1 --tag-template a" + builder, map[string]string{"ecr:SetRepositoryPolicy": "AccessDeniedException"}, "--resolve-image-repos: set the policy of the repository "},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t).Failures = tc.failures
			inFolder(t, map[string]string{"template.yaml": oneFunction, "Dockerfile": "FROM scratch\n"})
			out, err := execute(strings.Fields(tc.line)...)
			if err == nil || !strings.Contains(err.Error(), tc.want) || exitCode(err) != exitInput {
				t.Fatalf("got %v with exit code %d, want %q", err, exitCode(err), tc.want)
			}
			if strings.Contains(out+err.Error(), "canary") {
				t.Errorf("a secret is shown: %s %v", out, err)
			}
		})
	}
}

// Each function has a repository of its own, named as SAM CLI names it, also when only the
// configuration of SAM CLI asks for that. Nothing is created elsewhere.
func TestRepositoriesAreCreatedBeforeTheBuild(t *testing.T) {
	const config = "[default.global.parameters]\nstack_name = \"demo\"\n[default.package.parameters]\nregion = \"eu-west-1\"\nresolve_image_repos = true\n"
	for line, want := range map[string][]string{
		"package --resolve-image-repos --region eu-west-1 --stack-name demo": {"demofe01ce2a/hellofunction65dbf3a1repo"},
		"package": {"demofe01ce2a/hellofunction65dbf3a1repo"},
		"package --image-repository 123456789012.dkr.ecr.eu-west-1.amazonaws.com/one --create-repository": {"one"},
		"build --push --repo 123456789012.dkr.ecr.eu-west-1.amazonaws.com/one --create-repository":        {"one"},
		"build --push --repo registry.example.com/one --create-repository":                                nil,
	} {
		t.Run(line, func(t *testing.T) {
			fake := awsEnvironment(t)
			files := map[string]string{"template.yaml": oneFunction, "Dockerfile": "FROM scratch\n"}
			if line == "package" {
				files["samconfig.toml"] = config
			}
			inFolder(t, files)
			_, err := execute(append(strings.Fields(line), "--builder", "tcp://127.0.0.1:1", "--tag-template", "a")...)
			if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
				t.Fatalf("got %v, want that there is no builder", err)
			}
			var got []string
			for _, call := range fake.Calls() {
				if call.Action == "ecr:CreateRepository" {
					got = append(got, call.Input["repositoryName"].(string))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("created %q, want %q", got, want)
			}
		})
	}
}
