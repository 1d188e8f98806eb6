package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// twoFunctions is a template whose functions share a folder.
const twoFunctions = `AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./greet, DockerTag: v1, DockerBuildArgs: {GREETING: !Ref Greeting}}
  GoodbyeFunction:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, Architectures: [arm64]}
    Metadata: {Dockerfile: goodbye/Dockerfile, DockerContext: ./greet}
  ZipFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ./zip, Runtime: python3.13, Handler: app.handler}
`

// application writes a template and the folder of its functions.
func application(t *testing.T, template string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"template.yaml": template,
		"greet/Dockerfile": "FROM " + testenv.Lambda22Base + "\nARG GREETING\nRUN echo \"$GREETING\" >greeting && node --version\n" +
			"COPY . ./\nCMD [\"app.handler\"]\n",
		"greet/goodbye/Dockerfile": "FROM scratch\nCOPY app.mjs /\nENTRYPOINT [\"/app.mjs\"]\n",
		"greet/app.mjs":            "export const handler = async () => 'hello';\n",
		"greet/README.md":          "not for the image\n",
		"greet/.dockerignore":      "*.md\ngoodbye\n",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// A SAM template is a build file: its functions are built at once, each for its architecture. That a
// folder is sent once is in TestSentFilesOfFunctions, whose functions begin to need it together.
func TestFunctionsOfATemplate(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := application(t, twoFunctions)
	r := b.buildTemplate("-f", filepath.Join(dir, "template.yaml"))
	lines := r.ok(t)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "hellofunction:v1@sha256:") || !strings.HasPrefix(lines[1], "goodbyefunction:latest@sha256:") {
		t.Errorf("stdout is %q", lines)
	}
	t.Run("the ignore file holds, and build arguments arrive", func(t *testing.T) {
		ref := b.repo("ci/hello:1")
		b.buildTemplate("-f", filepath.Join(dir, "template.yaml"), "--target", "HelloFunction", "--tag", ref, "--push",
			"--parameter-overrides", "Greeting=moin").ok(t)
		image, err := b.Registry.ReadImage(t.Context(), ref, "linux/amd64")
		must(t, err)
		for name, want := range map[string]bool{"/var/task/app.mjs": true, "/var/task/README.md": false, "/var/task/goodbye": false, "/var/task/greeting": true} {
			if _, there := image.Files[name]; there != want {
				t.Errorf("%s is in the image: %t, want %t", name, there, want)
			}
		}
		if greeting, err := image.ReadFile("/var/task/greeting"); err != nil || string(greeting) != "moin\n" {
			t.Errorf("the greeting is %q, %v", greeting, err)
		}
	})
	t.Run("docker buildx build gives the same image", func(t *testing.T) {
		x := b.newBuildx(b.Buildkitd)
		other := application(t, "# syntax="+x.frontend+"\n"+twoFunctions)
		must(t, os.Chtimes(filepath.Join(other, "greet/app.mjs"), time.Unix(0, 0), time.Unix(0, 0)))
		must(t, os.Chmod(filepath.Join(other, "greet/app.mjs"), 0o660)) // of another umask
		for target, line := range map[string]string{"HelloFunction": lines[0], "GoodbyeFunction": lines[1]} {
			ref := b.repo("ci/buildx:" + strings.ToLower(target))
			x.docker(other, "buildx", "build", "--progress", "plain", "-f", "template.yaml", "--target", target, "--push", "-t", ref, ".").ok(t)
			if got := b.digestOfTag(ref); got != digestOf(line) {
				t.Errorf("docker buildx gives %s of %s, the command %s", got, target, digestOf(line))
			}
		}
		listed := x.docker(other, "buildx", "build", "-f", "template.yaml", "--call", "targets", ".")
		if !strings.Contains(listed.stdout, "GoodbyeFunction") || strings.Contains(listed.stdout, "ZipFunction") {
			t.Errorf("the targets are\n%s\n%s", listed.stdout, listed.stderr)
		}
	})
}

// An image is found by what it is made from, with no builder at all, from another checkout too; one
// changed function of several is built alone.
func TestUnchangedFunctionsNeedNoBuilder(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	build := func(dir, builder string, more ...string) result {
		args := []string{"build", "--progress", "plain", "--builder", builder, "-f", filepath.Join(dir, "template.yaml"), "--repo", b.repo("ci/app"), "--push"}
		return run(t, b.env, append(args, more...)...)
	}
	const nowhere = "tcp://127.0.0.1:1"
	wantVerdicts := func(dir, want string) {
		t.Helper()
		var plan struct {
			Functions []struct {
				Function, Verdict, Inputs string
				Files                     int
				Parts                     []struct{ Kind, Name, Value string }
			}
		}
		r := run(t, b.env, "plan", "-f", filepath.Join(dir, "template.yaml"), "--repo", b.repo("ci/app"), "--format", "json")
		r.ok(t)
		must(t, json.Unmarshal([]byte(r.stdout), &plan))
		got := ""
		for _, f := range plan.Functions {
			got += f.Function + " " + f.Verdict + "\n"
			if len(f.Parts) < 3 || f.Files != 3 || !strings.HasPrefix(f.Inputs, "sha256:") {
				t.Errorf("the plan of %s is %+v", f.Function, f)
			}
		}
		if got != want {
			t.Errorf("the verdicts are\n%swant\n%s", got, want)
		}
	}
	template := strings.Replace(twoFunctions, "DockerContext: ./greet}", "DockerContext: ./greet, DockerTag: 1.10}", 1)
	checkout := func() (dir string) {
		dir = application(t, template)
		base, err := b.Registry.Ref(testenv.Lambda22Base) // samforge itself does not know the builder's mirrors
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
		return dir
	}
	wantVerdicts(checkout(), "HelloFunction build\nGoodbyeFunction build\n")
	first := build(checkout(), b.Buildkitd.Addr).ok(t)
	tag := regexp.MustCompile(`^` + regexp.QuoteMeta(b.repo("ci/app")) + `:(hellofunction-[0-9a-f]{12}-v1|goodbyefunction-[0-9a-f]{12}-1\.10)@sha256:`)
	if len(first) != 2 || !tag.MatchString(first[0]) || !tag.MatchString(first[1]) {
		t.Fatalf("stdout is %q", first)
	}
	dir := checkout()
	must(t, os.WriteFile(filepath.Join(dir, "greet/README.md"), []byte("other words\n"), 0o644))
	must(t, os.Chtimes(filepath.Join(dir, "greet/app.mjs"), time.Unix(0, 0), time.Unix(0, 0)))
	must(t, os.Chmod(filepath.Join(dir, "greet/app.mjs"), 0o600)) // of another umask
	b.Registry.Reset()
	wantDigests(t, build(dir, nowhere).ok(t), first)
	if stats := b.Registry.Stats(); stats.ManifestPuts != 0 {
		t.Errorf("something was pushed: %+v", stats)
	}
	if r := build(dir, nowhere, "--no-skip"); r.code != 1 {
		t.Errorf("--no-skip: exit code %d without a builder:\n%s", r.code, r.stderr)
	}
	must(t, os.WriteFile(filepath.Join(dir, "greet/goodbye/Dockerfile"), []byte("FROM scratch\nCOPY app.mjs /bye.mjs\nENTRYPOINT [\"/bye.mjs\"]\n"), 0o644))
	wantVerdicts(dir, "HelloFunction skip\nGoodbyeFunction build\n")
	changed := build(dir, b.Buildkitd.Addr)
	if lines := changed.ok(t); lines[0] != first[0] || lines[1] == first[1] || strings.Contains(changed.stderr, "[HelloFunction") {
		t.Errorf("stdout is %q, at first %q\n%s", lines, first, changed.stderr)
	}
}

// buildTemplate runs `samforge build` for a template on the bed's buildkitd.
func (b *bed) buildTemplate(args ...string) result {
	b.t.Helper()
	return run(b.t, b.env, append([]string{"build", "--progress", "plain", "--builder", b.Buildkitd.Addr}, args...)...)
}

// After a build of all functions together, the cache that each exports answers on an empty builder:
// nothing runs, and nothing is pulled.
func TestCachesOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	names := []string{"FirstFunction", "SecondFunction", "ThirdFunction"}
	dir := application(t, "")
	template := "Resources:\n"
	for _, name := range names {
		template += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
			"    Metadata: {Dockerfile: " + name + ".Dockerfile, DockerContext: ./greet}\n"
		must(t, os.WriteFile(filepath.Join(dir, "greet", name+".Dockerfile"), []byte(
			"FROM "+testenv.Lambda22Base+"\nCOPY app.mjs ./\nRUN echo "+name+" >name\nCOPY . ./\nCMD [\"app.handler\"]\n"), 0o644))
	}
	file := filepath.Join(dir, "template.yaml")
	must(t, os.WriteFile(file, []byte(template), 0o644))
	cache := "type=registry,ref=" + b.repo("cache") + ":{{.Target}}"
	args := []string{"build", "--progress", "plain", "-f", file}
	first := b.buildTemplate("-f", file, "--cache-to", cache+",mode=max").ok(t)
	again := func(names []string, want []string, more ...string) {
		t.Helper()
		fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
		b.Registry.Reset()
		for n, line := range run(t, b.env, append(append(args, "--builder", fresh.Addr, "--cache-from", cache), more...)...).ok(t) {
			if digestOf(line) != digestOf(want[n]) {
				t.Errorf("%s is %s, at first %s", names[n], line, want[n])
			}
		}
		for _, p := range b.Registry.Pulls() {
			if p.Kind == "layer" {
				t.Errorf("%s: %s of %s was pulled", names, p.Digest, p.Repository)
			}
		}
	}
	for n, name := range names {
		again([]string{name}, first[n:], "--target", name)
	}
	again(names, first, "--repo", b.repo("ci/again"), "--push")
}
