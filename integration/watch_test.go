package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A function that changes is built and invoked again, and no other one. Mistakes end nothing,
// Ctrl-C does.
func TestWatch(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	base := nodeFunctionBase(t, b)
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	template := "Transform: AWS::Serverless-2016-10-31\nResources:\n"
	for _, name := range []string{"One", "Two"} {
		template += "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, MemorySize: 256, Environment: {Variables: {COLOR: blue}}}\n    Metadata: {Dockerfile: Dockerfile, DockerContext: ./" + name + "}\n"
	}
	handler := func(answer string) string {
		return "import fs from 'node:fs';\nconst read = (name) => fs.existsSync(name) ? fs.readFileSync(name, 'utf8') : '-';\n" +
			"export const handler = async (event) => [" + answer + ", event, process.env.COLOR, read('lib/x'), read('notes.md')].join(' ');\n"
	}
	dockerfile := "FROM " + base + "\nCOPY . ./\nCMD [\"app.handler\"]\n"
	write("template.yaml", template)
	write("event.json", `"first"`)
	for _, name := range []string{"One", "Two"} {
		write(name+"/app.mjs", handler("'"+name+" 1'"))
		write(name+"/Dockerfile", dockerfile)
		write(name+"/.dockerignore", "*.md\n")
	}
	p := start(t, b.env, "build", "--progress", "quiet", "--builder", b.Buildkitd.Addr, "-f", filepath.Join(dir, "template.yaml"), "--watch", "--invoke", filepath.Join(dir, "event.json"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.stderr.String())
		}
	})
	p.stdout.waitFor(t, "\"One 1 first blue - -\"\n", 1)
	p.stdout.waitFor(t, "\"Two 1 first blue - -\"\n", 1)

	write("One/app.mjs", handler("'One 2'"))
	p.stdout.waitFor(t, "\"One 2 first blue - -\"\n", 1)
	write("Two/notes.md", "which no image has")
	write("One/Dockerfile", "FROMM scratch\n")
	p.stderr.waitFor(t, "unknown instruction: FROMM", 1)
	write("One/app.mjs", handler("'One 3'"))
	write("One/Dockerfile", dockerfile)
	p.stdout.waitFor(t, "\"One 3 first blue - -\"\n", 1)

	write("One/lib/x", "new")
	p.stdout.waitFor(t, "\"One 3 first blue new -\"\n", 1)
	write("One/lib/x", "newer")
	p.stdout.waitFor(t, "\"One 3 first blue newer -\"\n", 1)
	if n := strings.Count(p.stdout.String(), "Two"); n != 1 {
		t.Errorf("a function that has not changed was invoked %d times", n)
	}

	write("Two/.dockerignore", "")
	p.stdout.waitFor(t, "\"Two 1 first blue - which no image has\"\n", 1)
	write("template.yaml", strings.Replace(template, "Image", "Imagery", 1))
	p.stderr.waitFor(t, "template.yaml:5:", 1)
	write("template.yaml", strings.ReplaceAll(template, "blue", "red"))
	p.stdout.waitFor(t, "\"One 3 first red newer -\"\n", 1)
	write("event.json", `"second"`)
	p.stdout.waitFor(t, "\"Two 1 second red - which no image has\"\n", 1)

	waiting := strings.Count(p.stderr.String(), "waiting for a change")
	write("event.json", `{"a`)
	p.stderr.waitFor(t, "the event is no JSON", 2)
	p.stderr.waitFor(t, "waiting for a change", waiting+1)
	must(t, p.cmd.Process.Signal(os.Interrupt))
	if r := p.wait(t); r.code != 0 || strings.Contains(r.stderr, "cancelled") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

// What cannot be watched is said before anything is built.
func TestWatchMistakes(t *testing.T) {
	t.Parallel()
	template := filepath.Join(t.TempDir(), "template.yaml")
	must(t, os.WriteFile(template, []byte("Resources: {One: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}, Metadata: {Dockerfile: Dockerfile, DockerContext: .}}}\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a build file":              {[]string{"--watch", "-f", example(t, "sam/samforge.yaml")}, "--watch is for the functions of a SAM template"},
		"no watch":                  {[]string{"--invoke", "event.json", "-f", template}, "--invoke is for --watch"},
		"a mistake in the template": {[]string{"--watch", "-f", template}, "there is no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := run(t, nil, append([]string{"build"}, c.args...)...); r.code != 2 || !strings.Contains(r.stderr, c.want) {
				t.Errorf("exit code %d, want 2 and %q\n%s", r.code, c.want, r.stderr)
			}
		})
	}
}
