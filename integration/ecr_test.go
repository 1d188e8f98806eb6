package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// One identity creates the repositories of the functions, logs the builder in to them, and finds
// their images again. Everything goes to ECR's real names.
func TestResolveImageRepos(t *testing.T) {
	t.Parallel()
	aws, err := testenv.StartAWS()
	must(t, err)
	t.Cleanup(func() { must(t, aws.Close()) })
	b := &bed{t: t, Env: testenv.New(t, testenv.Options{
		Registry: testenv.RegistryOptions{
			BasicAuth: true, ImmutableTags: true, Users: map[string]testenv.Account{"AWS": {Password: awsfake.Password, Push: true}},
		},
		Buildkitd: testenv.BuildkitdOptions{Rootless: true, Proxy: aws.ProxyURL, Authorities: map[string]string{testenv.AWSHost: aws.CAFile}},
	})}
	aws.Serve(b.Registry)
	dir := application(t, "Resources:\n  HelloFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n"+
		"    Metadata: {Dockerfile: goodbye/Dockerfile, DockerContext: greet}\n")
	home := t.TempDir()
	env := append(b.env, "HOME="+home, "DOCKER_CONFIG="+home, "HTTPS_PROXY="+aws.ProxyURL, "SSL_CERT_FILE="+aws.CAFile, "AWS_CA_BUNDLE="+aws.CAFile, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=canary-of-the-key", "AWS_REGION="+testenv.AWSRegion)
	output := filepath.Join(dir, "packaged.yaml")
	pack := func(builder string) result {
		r := run(t, env, "package", "--progress", "plain", "--builder", builder, "-t", filepath.Join(dir, "template.yaml"), "--output-template-file", output,
			"--resolve-image-repos", "--stack-name", "demo")
		if strings.Contains(r.stdout+r.stderr, "canary") || strings.Contains(r.stdout+r.stderr, awsfake.Password) {
			t.Errorf("a secret is shown:\n%s%s", r.stdout, r.stderr)
		}
		return r
	}
	const repository = "demofe01ce2a/hellofunction65dbf3a1repo"
	lines := pack(b.Buildkitd.Addr).ok(t)
	image := regexp.MustCompile(regexp.QuoteMeta(testenv.AWSHost+"/"+repository) + ":hellofunction-[0-9a-f]{12}-latest")
	template, err := os.ReadFile(output)
	must(t, err)
	if len(lines) != 1 || !image.MatchString(lines[0]) || !image.Match(template) {
		t.Errorf("stdout is %q, the template\n%s", lines, template)
	}
	if policy := aws.Policy(repository); !strings.Contains(policy, "lambda.amazonaws.com") {
		t.Errorf("the policy of the repository is %q", policy)
	}
	actions := func() (creating []string) {
		for _, action := range aws.Actions() {
			if strings.HasPrefix(action, "ecr:") && action != "ecr:GetAuthorizationToken" {
				creating = append(creating, action)
			}
		}
		return creating
	}
	want := []string{"ecr:CreateRepository", "ecr:SetRepositoryPolicy"}
	if got := actions(); !slices.Equal(got, want) {
		t.Errorf("the requests about the repository are %q, want %q", got, want)
	}
	t.Run("again, without a builder", func(t *testing.T) {
		wantDigests(t, pack("tcp://127.0.0.1:1").ok(t), lines)
		if got := actions(); !slices.Equal(got, want) {
			t.Errorf("the requests about the repository are %q, want no new ones", got)
		}
	})
}
