package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// samforge build takes the place of sam build before sam local and sam deploy: the images are in the
// engine, and the template with their names is where SAM CLI looks for it, its paths leading to what
// they did.
func TestBuiltTemplate(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	env := append(b.env, "DOCKER_HOST="+engine.Host)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, twoFunctions)
	must(t, os.Mkdir(filepath.Join(dir, "zip"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
	file := filepath.Join(dir, "template.yaml")
	output := filepath.Join(dir, ".aws-sam/build/template.yaml")
	args := []string{"build", "--progress", "plain", "-f", file, "--builder", b.Buildkitd.Addr, "--output-template-file"}
	run(t, env, append(args, output, "--load")...).ok(t)

	want := strings.NewReplacer(
		"Properties: {PackageType: Image}\n", "Properties: {ImageUri: \"hellofunction:v1\", PackageType: Image}\n",
		"Properties: {PackageType: Image, Arch", "Properties: {ImageUri: \"goodbyefunction:latest\", PackageType: Image, Arch",
		"./greet", `"../../greet"`,
		"CodeUri: ./zip", `CodeUri: "../../zip"`,
	).Replace(twoFunctions)
	got, err := os.ReadFile(output)
	must(t, err)
	if string(got) != want {
		t.Errorf("the template is\n%s\nwant\n%s", got, want)
	}
	for image, architecture := range map[string]string{"hellofunction:v1": "amd64", "goodbyefunction:latest": "arm64"} {
		cmd := exec.CommandContext(t.Context(), "docker", "image", "inspect", "--format", "{{.Architecture}}", image)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != architecture {
			t.Errorf("the engine has %s for %q, want %s (%v)", image, out, architecture, err)
		}
	}
	// What was written is an application in its own right.
	run(t, env, "build", "--progress", "plain", "-f", output, "--builder", b.Buildkitd.Addr).ok(t)

	// An engine pushes with the tag, and the image is judged after.
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nENTRYPOINT [\"./app.mjs\"]\n"), 0o644))
	r := run(t, env, "package", "--progress", "plain", "-t", file, "--builder", "docker://", "--image-repository", b.repo("ci/engine"))
	if want := "template.yaml:6:3: HelloFunction: Lambda: ENTRYPOINT"; r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("exit code %d, want 1 and %q:\n%s", r.code, want, r.stderr)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"images that are nowhere": {append(args, output), "add --load for the Docker engine, or --push"},
		"the template itself":     {append(args, file, "--load"), "is the template itself: name another file"},
		"a folder in a file":      {append(args, file+"/x.yaml", "--load"), "--output-template-file: mkdir "},
		"another build file":      {append(args, output, "-f", example(t, "sam/samforge.yaml"), "--load"), "is for a SAM template, and samforge.yaml is none"},
	} {
		if r := run(t, env, c.args...); r.code != 2 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", name, r.code, c.want, r.stderr)
		}
	}
}
