package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	if back := strings.Replace(image.ReplaceAllString(root, ""), `"packaged-Child.yaml"`, "./child/template.yaml", 1); back != packaged {
		t.Errorf("without the image the template is\n%s", back)
	}
	if back := image.ReplaceAllString(child, ""); back != packagedChild {
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
	t.Run("a repository for each function, and digests", func(t *testing.T) {
		pack(b.Buildkitd.Addr, "--image-repositories", "HelloFunction="+b.repo("ci/hello"), "--image-repositories", "Child/ByeFunction="+b.repo("ci/bye"), "--image-uri", "digest").ok(t)
		if !strings.Contains(read("packaged.yaml"), "ImageUri: "+b.repo("ci/hello@sha256:")) || !strings.Contains(read("packaged-Child.yaml"), "ImageUri: "+b.repo("ci/bye@sha256:")) {
			t.Errorf("the templates are\n%s\n%s", read("packaged.yaml"), read("packaged-Child.yaml"))
		}
	})
	t.Run("an image that Lambda refuses is in no template", func(t *testing.T) {
		const before = "not written"
		must(t, os.WriteFile(output, []byte(before), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "greet/goodbye/Dockerfile"), []byte("FROM scratch\nCOPY app.mjs /\nENTRYPOINT [\"./app.mjs\"]\n"), 0o644))
		for _, when := range []string{"built", "found by its tag"} {
			r := pack(b.Buildkitd.Addr, repository...)
			if want := "child/template.yaml:2:3: ByeFunction: Lambda: "; r.code != 1 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "./app.mjs") {
				t.Errorf("%s: exit code %d, want 1 and %q:\n%s", when, r.code, want, r.stderr)
			}
			if got := read("packaged.yaml"); got != before {
				t.Errorf("%s: the template was written:\n%s", when, got)
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
		"another folder":              {append([]string{"--output-template-file", filepath.Join(t.TempDir(), "a.yaml")}, repository...), "the code of ZipFunction is at ./zip, relative to the template"},
		"standard output, and stacks": {append([]string{"--output-template-file", ""}, repository...), "name a file with --output-template-file"},
	} {
		if r := pack("tcp://127.0.0.1:1", c.args...); r.code != 2 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", name, r.code, c.want, r.stderr)
		}
	}
}
