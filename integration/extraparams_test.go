package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// DockerBuildExtraParams of a function are flags for it alone, and the image is the same through
// docker buildx build, which is given the secrets.
func TestExtraParamsOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	x := b.newBuildx(b.Buildkitd)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	secret := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(secret, []byte("hunter2"), 0o600))
	cache := "type=registry,mode=max,ref=" + b.repo("cache:one")
	template := "# syntax=" + x.frontend + "\nResources:\n" +
		"  OneFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata:\n" +
		"      Dockerfile: Dockerfile\n      DockerContext: .\n      DockerBuildArgs: {WHO: nobody}\n" +
		"      DockerBuildExtraParams: ['--secret', 'id=token,src=" + secret + "', --build-arg, WHO=world, '--label=team=blue', --target, final, '--cache-to=" + cache + "', --load]\n" +
		oddFunction("TwoFunction", "two.Dockerfile", ".")
	write("template.yaml", template)
	write("Dockerfile", "FROM "+testenv.Lambda22Base+" AS final\nARG WHO\n"+
		"RUN --mount=type=secret,id=token test \"$(cat /run/secrets/token)\" = hunter2 && echo \"hello $WHO\" >greeting\nCMD [\"app.handler\"]\nFROM scratch AS last\n")
	write("two.Dockerfile", "FROM "+testenv.Lambda22Base+"\nARG WHO=two\nRUN echo \"hello $WHO\" >greeting\nCMD [\"app.handler\"]\n")
	lines := b.buildTemplate("-f", filepath.Join(dir, "template.yaml")).ok(t)
	if len(lines) != 2 {
		t.Fatalf("stdout is %q", lines)
	}
	if b.digestOfTag(b.repo("cache:one")) == "" {
		t.Error("no cache was exported")
	}
	ref := b.repo("ci/extra:1")
	x.docker(dir, "buildx", "build", "-f", "template.yaml", "--target", "OneFunction", "--secret", "id=token,src="+secret, "--provenance=false", "--push", "-t", ref, ".").ok(t)
	if got := b.digestOfTag(ref); got != digestOf(lines[0]) {
		t.Errorf("docker buildx gives %s, the command %s", got, lines[0])
	}
	image, err := b.Registry.ReadImage(t.Context(), ref, "linux/amd64")
	must(t, err)
	if greeting, err := image.ReadFile("/var/task/greeting"); err != nil || string(greeting) != "hello world\n" || image.Config.Labels["team"] != "blue" {
		t.Errorf("the greeting is %q, the labels %v, %v", greeting, image.Config.Labels, err)
	}
	write("template.yaml", strings.Replace(template, "DockerContext: '.'}", "DockerContext: ., DockerBuildExtraParams: ['--secret=id=token,env=OTHER']}", 1))
	r := b.buildTemplate("-f", filepath.Join(dir, "template.yaml"))
	if want := "TwoFunction: DockerBuildExtraParams: --secret id=token,src=" + secret + " and --secret id=token,env=OTHER have one name: rename one"; r.code != 2 || !strings.Contains(r.stderr, want) {
		t.Errorf("exit code %d, want 2 and %q:\n%s", r.code, want, r.stderr)
	}
}
