package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// oddFunction returns a resource whose Dockerfile and context are quoted.
func oddFunction(name, dockerfile, context string) string {
	return fmt.Sprintf("  %s:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: '%s', DockerContext: '%s'}\n", name, dockerfile, context)
}

// Folders and Dockerfiles are found wherever they are and whatever they are called, as the docker
// command finds them.
func TestOddPlacesOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir, outside := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, []byte(text), 0o644))
	}
	const dockerfile = "FROM scratch\nCOPY file /\nENTRYPOINT [\"/file\"]\n"
	template := "Resources:\n"
	folders := []string{"a[b]c", "a*b", "!bang", `back\slash`, "two words", "ünïcode", "-dash"}
	for n, folder := range folders {
		write(filepath.Join(dir, folder, "Dockerfile"), dockerfile)
		write(filepath.Join(dir, folder, "file"), folder)
		write(filepath.Join(dir, folder, ".dockerignore"), "*.md\n")
		template += oddFunction(fmt.Sprintf("Odd%d", n), "Dockerfile", folder)
	}
	write(filepath.Join(outside, "context/file"), "outside")
	write(filepath.Join(outside, "context/Dockerfile"), dockerfile)
	write(filepath.Join(outside, "Other.Dockerfile"), dockerfile)
	must(t, os.Symlink(filepath.Join(outside, "context"), filepath.Join(dir, "link")))
	must(t, os.Symlink(filepath.Join(outside, "Other.Dockerfile"), filepath.Join(dir, "two words", "Linked")))
	template += oddFunction("Absolute", "Dockerfile", filepath.Join(outside, "context")) + oddFunction("Link", "Dockerfile", "link") +
		oddFunction("LinkedDockerfile", "Linked", "two words") + oddFunction("DockerfileOutside", filepath.Join(outside, "Other.Dockerfile"), "a*b")
	write(filepath.Join(outside, "stack/template.yaml"), "Resources:\n"+oddFunction("Nested", "Dockerfile", "../context"))
	must(t, os.Symlink(filepath.Join(outside, "stack/template.yaml"), filepath.Join(dir, "stack.yaml")))
	template += "  Child: {Type: AWS::Serverless::Application, Properties: {Location: stack.yaml}}\n"
	write(filepath.Join(dir, "template.yaml"), template)
	args := []string{"-f", filepath.Join(dir, "template.yaml"), "--repo", b.repo("odd"), "--push"}
	lines := b.buildTemplate(args...).ok(t)
	if want := len(folders) + 5; len(lines) != want {
		t.Fatalf("%d images, want %d: %q", len(lines), want, lines)
	}
	for n, folder := range folders {
		image, err := b.Registry.ReadImage(t.Context(), lines[n], "linux/amd64")
		must(t, err)
		if data, err := image.ReadFile("/file"); err != nil || string(data) != folder {
			t.Errorf("the file of %s is %q, %v", folder, data, err)
		}
	}
	wantDigests(t, b.buildTemplate(args...).ok(t), lines)
}

// A tag is never pushed again for other content.
func TestTagsOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := t.TempDir()
	template := filepath.Join(dir, "template.yaml")
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	build := func(args ...string) result {
		return b.buildTemplate(append([]string{"-f", template, "--repo", b.repo("tags"), "--push"}, args...)...)
	}
	write("template.yaml", "Resources:\n"+oddFunction("Fn", "Dockerfile", "."))
	write("Dockerfile", "FROM scratch\nCOPY file /\nENTRYPOINT [\"/file\"]\n")
	write("file", "one")
	t.Run("a template without the inputs is built each time", func(t *testing.T) {
		first := build("--tag-template", "latest").ok(t)
		write("file", "two")
		if second := build("--tag-template", "latest").ok(t); digestOf(second[0]) == digestOf(first[0]) {
			t.Errorf("the changed function is still %s", second[0])
		}
	})
	t.Run("what can change without notice has a tag of its own", func(t *testing.T) {
		write("Dockerfile", "FROM scratch\nADD "+b.Files.URL()+"/odd/file /\nENTRYPOINT [\"/file\"]\n")
		b.Files.Add("/odd/file", []byte("one"))
		first := build().ok(t)
		b.Files.Add("/odd/file", []byte("two"))
		second := build()
		if lines := second.ok(t); strings.Split(lines[0], "@")[0] == strings.Split(first[0], "@")[0] || !strings.Contains(second.stderr, "Fn is built each time: "+b.Files.URL()+"/odd/file can change") {
			t.Errorf("at first %q, then %q\n%s", first, lines, second.stderr)
		}
	})
	t.Run("a network and hosts that steps see", func(t *testing.T) {
		write("Dockerfile", "FROM scratch\nCOPY file /\nENTRYPOINT [\"/file\"]\n")
		if one, two := build().ok(t), build("--add-host", "name:127.0.0.1").ok(t); one[0] == two[0] {
			t.Errorf("with another host it is still %s", two[0])
		}
	})
	t.Run("functions of one name in two stacks", func(t *testing.T) {
		write("template.yaml", "Resources:\n"+oddFunction("Fn", "Dockerfile", ".")+"  Child: {Type: AWS::Serverless::Application, Properties: {Location: child.yaml}}\n")
		write("child.yaml", "Resources:\n"+oddFunction("Fn", "Other", "."))
		write("Other", "FROM scratch\nCOPY file /other\nENTRYPOINT [\"/other\"]\n")
		if lines := build().ok(t); len(lines) != 2 || lines[0] == lines[1] {
			t.Errorf("the images are %q", lines)
		}
		write("child.yaml", "Resources:\n"+oddFunction("Fn", "Dockerfile", "."))
		if lines := build().ok(t); len(lines) != 2 || lines[0] != lines[1] {
			t.Errorf("the images of the same inputs are %q", lines)
		}
	})
	t.Run("a git repository", func(t *testing.T) {
		write("template.yaml", "Resources:\n"+oddFunction("Fn", "Dockerfile", "."))
		if r := build("https://git.example.com/app.git"); r.code != 2 || !strings.Contains(r.stderr, "name the images with --tag, or a folder") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
	t.Run("a NoEcho parameter through docker buildx build", func(t *testing.T) {
		x := b.newBuildx(b.Buildkitd)
		write("template.yaml", "# syntax="+x.frontend+"\nParameters: {Token: {Type: String, NoEcho: true}}\nResources:\n"+oddFunction("Fn", "Dockerfile", "."))
		r := x.docker(dir, "buildx", "build", "--progress", "plain", "-f", "template.yaml", "--build-arg", "SAMFORGE_PARAMETERS=Token=canary", ".")
		if r.code == 0 || !strings.Contains(r.stderr, "the parameter Token is NoEcho, and a build argument is recorded with the image") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
	t.Run("a Dockerfile that does not parse", func(t *testing.T) {
		write("template.yaml", "Resources:\n"+oddFunction("Fn", "Dockerfile", "."))
		write("Dockerfile", "FROM scratch\nCOPPY file /\n")
		if r := build(); r.code != 2 || !strings.Contains(r.stderr, "Dockerfile:2") || !strings.Contains(r.stderr, ">>> COPPY file /") {
			t.Errorf("exit code %d:\n%s", r.code, r.stderr)
		}
	})
}

// The folders of functions can be in a git repository, which the builder fetches, and several builders
// share the functions: the images are those of a folder on this machine.
func TestFunctionsElsewhere(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := application(t, twoFunctions)
	file := filepath.Join(dir, "template.yaml")
	want := b.buildTemplate("-f", file).ok(t)
	second := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	address := gitServer(t, dir, "")
	for name, args := range map[string][]string{
		"a git repository":                   {"-f", file, address},
		"several builders":                   {"-f", file, "--builder", second.Addr},
		"a git repository, several builders": {"-f", file, "--builder", second.Addr, address},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.buildTemplate(args...).ok(t)
			if len(got) != len(want) {
				t.Fatalf("stdout is %q, want %q", got, want)
			}
			for i := range got {
				tag, _, _ := strings.Cut(got[i], "@")
				if other, _, _ := strings.Cut(want[i], "@"); tag != other {
					t.Errorf("got %s, want %s", got[i], want[i])
				}
				if name == "a git repository" && got[i] != want[i] {
					t.Errorf("got %s, want %s", got[i], want[i])
				}
			}
		})
	}
}
