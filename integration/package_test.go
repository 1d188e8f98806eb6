package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/integration/testenv"
)

// packaged is an application with a comment, an anchor, a nested stack and a function whose code is
// no image.
const packaged = `# The application.
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
  Token: {Type: String, NoEcho: true, Default: canary-of-the-token}
Resources:
  HelloFunction: # greets
    Type: AWS::Serverless::Function
    Properties: &properties
      PackageType: Image
      Environment: {Variables: {TOKEN: !Ref Token, STAGE: !Ref Stage}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./greet, DockerTag: !Sub '${Stage}-1'}
  ZipFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ./zip, Runtime: python3.13, Handler: app.handler}
  Child:
    Type: AWS::Serverless::Application
    Properties:
      Location: ./child/template.yaml
`

const packagedChild = "Resources:\n  ByeFunction:\n    Type: AWS::Serverless::Function\n    Properties:\n      PackageType: Image\n" +
	"    Metadata: {Dockerfile: goodbye/Dockerfile, DockerContext: ../greet}\n"

// The template is written with the images in it, and every other byte stays. Again nothing is built,
// and the template is the same.
func TestPackage(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, packaged)
	must(t, os.Mkdir(filepath.Join(dir, "child"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "child/template.yaml"), []byte(packagedChild), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
	output := filepath.Join(dir, "packaged.yaml")
	pack := func(builder string, more ...string) result {
		args := []string{"package", "--progress", "plain", "--builder", builder, "--template-file", filepath.Join(dir, "template.yaml"),
			"--parameter-overrides", "Stage=prod", "--output-template-file", output}
		return run(t, b.env, append(args, more...)...)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		return string(data)
	}
	repository := []string{"--image-repository", b.repo("ci/app")}
	r := pack(b.Buildkitd.Addr, repository...)
	lines := r.ok(t)
	image := regexp.MustCompile(`(?m)^ +ImageUri: ` + regexp.QuoteMeta(b.repo("ci/app")) + `:(hellofunction-[0-9a-f]{12}-prod-1|byefunction-[0-9a-f]{12}-latest)\n`)
	root, child := read("packaged.yaml"), read("packaged-Child.yaml")
	if len(lines) != 2 || len(image.FindAllString(root, -1)) != 1 || len(image.FindAllString(child, -1)) != 1 {
		t.Fatalf("stdout is %q, the templates are\n%s\n%s", lines, root, child)
	}
	if back := strings.Replace(image.ReplaceAllString(root, ""), `"./packaged-Child.yaml"`, "./child/template.yaml", 1); back != packaged {
		t.Errorf("without the image the template is\n%s", back)
	}
	if back := strings.Replace(image.ReplaceAllString(child, ""), `"greet"`, "../greet", 1); back != packagedChild {
		t.Errorf("without the image the template of the nested stack is\n%s", back)
	}
	if all := r.stdout + r.stderr + root[strings.Index(root, "Resources:"):] + child; strings.Contains(all, "canary-of-the-token") {
		t.Errorf("the value of a parameter with NoEcho is shown:\n%s", all)
	}
	t.Run("again, without a builder", func(t *testing.T) {
		wantDigests(t, pack("tcp://127.0.0.1:1", repository...).ok(t), lines)
		if read("packaged.yaml") != root || read("packaged-Child.yaml") != child {
			t.Error("the templates are others")
		}
	})
	t.Run("a cache in the image, which is pushed twice", func(t *testing.T) {
		pack(b.Buildkitd.Addr, "--image-repository", b.repo("ci/inline"), "--cache-to", "type=inline", "--no-cache").ok(t)
	})
	t.Run("a repository for each function, and digests", func(t *testing.T) {
		pack(b.Buildkitd.Addr, "--image-repositories", "HelloFunction="+b.repo("ci/hello"), "--image-repositories", "Child/ByeFunction="+b.repo("ci/bye"), "--image-uri", "digest").ok(t)
		if !strings.Contains(read("packaged.yaml"), "ImageUri: "+b.repo("ci/hello@sha256:")) || !strings.Contains(read("packaged-Child.yaml"), "ImageUri: "+b.repo("ci/bye@sha256:")) {
			t.Errorf("the templates are\n%s\n%s", read("packaged.yaml"), read("packaged-Child.yaml"))
		}
	})
	t.Run("JSON", func(t *testing.T) {
		r := pack("tcp://127.0.0.1:1", append(repository, "--cached")...)
		if r.code != 2 { // a flag of sam build
			t.Errorf("--cached: exit code %d", r.code)
		}
		pack("tcp://127.0.0.1:1", append(repository, "--use-json")...).ok(t)
		var written struct {
			Resources map[string]struct{ Properties map[string]any }
		}
		must(t, json.Unmarshal([]byte(read("packaged.yaml")), &written))
		if got, _ := written.Resources["HelloFunction"].Properties["ImageUri"].(string); !strings.HasPrefix(got, b.repo("ci/app:hellofunction-")) {
			t.Errorf("the template has %v", written)
		}
		must(t, json.Unmarshal([]byte(read("packaged-Child.yaml")), &written))
	})
	t.Run("an image that Lambda refuses is in no template", func(t *testing.T) {
		const before = "not written"
		must(t, os.WriteFile(output, []byte(before), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "greet/goodbye/Dockerfile"), []byte("FROM scratch\nCOPY app.mjs /\nENTRYPOINT [\"./app.mjs\"]\n"), 0o644))
		planned := run(t, b.env, "plan", "-f", filepath.Join(dir, "template.yaml"), "--parameter-overrides", "Stage=prod", "--repo", b.repo("ci/app"), "--format", "json")
		tag, err := name.NewTag(b.repo("ci/app:") + regexp.MustCompile(`byefunction-[0-9a-f]{12}-latest`).FindString(planned.stdout))
		must(t, err)
		for _, c := range []struct{ when, want string }{{"built", "./app.mjs"}, {"found by its tag", "the image has no ENTRYPOINT"}} {
			r := pack(b.Buildkitd.Addr, repository...)
			if want := "child/template.yaml:2:3: ByeFunction: Lambda: "; r.code != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, c.want) {
				t.Errorf("%s: exit code %d, want 1, %q and %q:\n%s", c.when, r.code, want, c.want, r.stderr)
			}
			if got := read("packaged.yaml"); got != before {
				t.Errorf("%s: the template was written:\n%s", c.when, got)
			}
			if c.when == "built" {
				if got, err := remote.Head(tag); err == nil {
					t.Errorf("the image has a tag: %s is %s", tag, got.Digest)
				}
				must(t, remote.Write(tag, empty.Image))
			}
		}
	})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an attestation":              {append([]string{"--provenance", "true"}, repository...), "an attestation makes an index of the image, which Lambda refuses"},
		"no repository":               {nil, "Missing option '--image-repositories', '--image-repository'"},
		"both":                        {append([]string{"--image-repositories", "HelloFunction=a"}, repository...), "Only one of the following can be provided"},
		"a function is left out":      {[]string{"--image-repositories", "HelloFunction=" + b.repo("a")}, "'--image-repositories': Child/ByeFunction has no repository"},
		"a function that is not one":  {[]string{"--image-repositories", "HeloFunction=" + b.repo("a")}, `the template has no function "HeloFunction": did you mean "HelloFunction"?`},
		"a repository with a tag":     {[]string{"--image-repository", b.repo("a:1")}, "leave the tag or the digest out"},
		"an unknown parameter":        {append([]string{"--parameter-overrides", "Stag=1"}, repository...), "the parameter Stag is given, but the template has none of that name"},
		"standard output, and stacks": {append([]string{"--output-template-file", ""}, repository...), "name a file with --output-template-file"},
	} {
		if r := pack("tcp://127.0.0.1:1", c.args...); r.code != 2 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", name, r.code, c.want, r.stderr)
		}
	}
}

// The flags of SAM CLI come from its configuration beside the template, for each environment, and
// SAM_BUILD_MODE=debug is a build argument and a tag of its own.
func TestConfigurationOfSAM(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, "Parameters:\n  Stage: {Type: String}\nResources:\n"+
		"  HelloFunction:\n    Type: AWS::Serverless::Function\n    Properties:\n      PackageType: Image\n    Metadata: {Dockerfile: Dockerfile, DockerContext: greet, DockerTag: !Ref Stage}\n"+
		"  OldFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: greet}\n")
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nARG SAM_BUILD_MODE=release\nENV MODE=$SAM_BUILD_MODE\nCMD [\"app.handler\"]\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "samconfig.toml"), []byte(`version = 0.1
[default.global.parameters]
exclude = ["OldFunction"]
s3_bucket = "uploads"
[default.build.parameters]
cached = true
parameter_overrides = ["Stage=test"]
[default.package.parameters]
image_repository = "`+b.repo("ci/test")+`"
output_template_file = "`+filepath.Join(dir, "packaged.yaml")+`"
[prod.global.parameters]
exclude = "OldFunction"
[prod.build.parameters.parameter_overrides]
Stage = "prod"
[prod.package.parameters]
image_repositories = ["HelloFunction=`+b.repo("ci/prod")+`"]
output_template_file = "`+filepath.Join(dir, "packaged.yaml")+`"
`), 0o644))
	template := filepath.Join(dir, "template.yaml")
	for _, c := range []struct {
		name, mode, config string // config is a part of the image's configuration
		args               []string
		want               string
	}{
		{"the default environment", "", `"MODE=release"`, nil, b.repo("ci/test:hellofunction-HEX-test")},
		{"another environment", "", `"MODE=release"`, []string{"--config-env", "prod"}, b.repo("ci/prod:hellofunction-HEX-prod")},
		{"a flag wins", "", `"MODE=release"`, []string{"--image-repository", b.repo("ci/flag"), "--parameter-overrides", "Stage=flag"}, b.repo("ci/flag:hellofunction-HEX-flag")},
		{"for debugging", "debug", `"MODE=debug"`, nil, b.repo("ci/test:hellofunction-HEX-test-debug")},
	} {
		env := append(b.env[:len(b.env):len(b.env)], "SAM_BUILD_MODE="+c.mode)
		lines := run(t, env, append([]string{"package", "--progress", "plain", "--builder", b.Buildkitd.Addr, "--template-file", template}, c.args...)...).ok(t)
		want := regexp.MustCompile("^" + strings.Replace(regexp.QuoteMeta(c.want), "HEX", "[0-9a-f]{12}", 1) + "$")
		ref, _, _ := strings.Cut(strings.Join(lines, "\n"), "@")
		written, err := os.ReadFile(filepath.Join(dir, "packaged.yaml"))
		must(t, err)
		if !want.MatchString(ref) || !strings.Contains(string(written), "ImageUri: "+ref+"\n") {
			t.Errorf("%s: stdout is %q, want %s, and the template is\n%s", c.name, lines, c.want, written)
			continue
		}
		parsed, err := name.ParseReference(ref)
		must(t, err)
		image, err := remote.Image(parsed, remote.WithContext(t.Context()))
		must(t, err)
		if config, err := image.RawConfigFile(); err != nil || !strings.Contains(string(config), c.config) {
			t.Errorf("%s: the configuration is %s, %v; want %s in it", c.name, config, err, c.config)
		}
	}
	if line := strings.Join(b.buildTemplate("-f", template, "--config-env", "prod").ok(t), "\n"); !strings.HasPrefix(line, "hellofunction:prod@") {
		t.Errorf("samforge build gives %q", line)
	}
	if r := b.buildTemplate("-f", template, "--config-env", "prd"); r.code != 2 || !strings.Contains(r.stderr, "samconfig.toml has no such environment, it has: default, prod") {
		t.Errorf("an unknown environment: exit code %d\n%s", r.code, r.stderr)
	}
}
