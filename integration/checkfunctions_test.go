package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"

	"github.com/samforge/samforge/integration/testenv"
)

// checkedFunctions has two Dockerfiles with findings, and a few in the template.
const checkedFunctions = `Parameters:
  Password: {Type: String, NoEcho: true, Default: canary}
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, ImageConfig: {EntryPoint: [./hello]}}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./hello, DockerBuildArgs: {GREETING: moin}}
  ByeFunction:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./bye, DockerTag: 1.10}
`

// Both doors report the same findings about a template and the Dockerfiles of its functions: those
// of samforge's rules, and of Docker's own. A build warns about the former.
func TestCheckOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	x := b.newBuildx(b.Buildkitd)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"template.yaml":    "# syntax=" + x.frontend + "\n" + checkedFunctions,
		"hello/Dockerfile": "FROM " + testenv.Lambda22Base + "\nARG GREETING=hello\nCOPY Dockerfile ${LAMBDA_TASK_ROOT}/${WHERE}\nCMD app.handler\n",
		"bye/Dockerfile":   "FROM " + testenv.Lambda22Base + " as base\nFROM base\nENTRYPOINT [\"bye\"]\n",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	file := filepath.Join(dir, "template.yaml")
	real, err := filepath.EvalSymlinks(dir)
	must(t, err)
	build := func(args ...string) result {
		return x.docker(dir, append(append([]string{"buildx", "build", "--progress", "plain", "-f", "template.yaml"}, args...), ".")...)
	}
	own := run(t, b.env, "check", "-f", file)
	for _, want := range []string{
		"UndefinedVar - https://docs.docker.com/", "JSONArgsRecommended - https://docs.docker.com/", "hello/Dockerfile:4\n",
		"FromAsCasing - https://docs.docker.com/", "bye/Dockerfile:1\n",
		`ENTRYPOINT starts "bye", which is searched in PATH`, "bye/Dockerfile:3\n",
		`EntryPoint of ImageConfig starts "./hello"`, "template.yaml:7\n", "NumericDockerTag - https://github.com/samforge/", "template.yaml:12\n",
	} {
		if own.code != 1 || !strings.Contains(own.stdout, want) {
			t.Errorf("samforge check exits with %d, and does not say %q:\n%s%s", own.code, want, own.stdout, own.stderr)
		}
	}
	if strings.Contains(own.stdout, "canary") || !strings.HasPrefix(own.stdout, "Check complete, 6 warnings have been found!\n") {
		t.Errorf("samforge check prints\n%s", own.stdout)
	}
	t.Run("docker buildx build --call=check finds the same", func(t *testing.T) {
		all := build("--call=check,format=json")
		want := findingsOf(t, run(t, b.env, "check", "-f", file, "--format", "json").stdout, real+"/")
		if got := findingsOf(t, all.stdout, ""); all.code != 1 || got != want {
			t.Errorf("it exits with %d and finds\n%s\nnot\n%s\n%s", all.code, got, want, all.stderr)
		}
		text := build("--call=check")
		for _, want := range []string{"hello/Dockerfile: Usage of undefined variable '$WHERE'\n", "bye/Dockerfile: ENTRYPOINT starts", "   3 | >>> ENTRYPOINT [\"bye\"]\n"} {
			if !strings.Contains(text.stdout, want) { // docker buildx names the build file for every line
				t.Errorf("it does not print %q:\n%s", want, text.stdout)
			}
		}
		one := build("--call=check", "--target", "ByeFunction")
		if !strings.HasPrefix(one.stdout, "Check complete, 3 warnings have been found!\n") || strings.Contains(one.stdout, "hello") {
			t.Errorf("for one function it prints\n%s%s", one.stdout, one.stderr)
		}
		if r := build("--call=check", "--target", "HelloFunction"); strings.Contains(r.stdout, "NumericDockerTag") {
			t.Errorf("for the other function it prints\n%s", r.stdout)
		}
		none := build("--call=check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all")
		if none.code != 0 || !strings.Contains(none.stdout, "no warnings found") {
			t.Errorf("without rules it exits with %d and prints\n%s%s", none.code, none.stdout, none.stderr)
		}
	})
	t.Run("outline and targets", func(t *testing.T) {
		r := build("--call=outline,format=json", "--target", "HelloFunction")
		var o outline.Outline
		if err := json.Unmarshal([]byte(r.stdout), &o); err != nil || o.Name != "HelloFunction" || len(o.Args) != 1 || o.Args[0].Name != "GREETING" || o.Args[0].Value != "moin" {
			t.Errorf("the outline is %+v, %v\n%s", o, err, r.stderr)
		}
		if r := build("--call=outline"); r.code == 0 || !strings.Contains(r.stderr, "name one with --target (HelloFunction, ByeFunction)") {
			t.Errorf("the outline of several functions exits with %d\n%s", r.code, r.stderr)
		}
		if r := build("--call=targets"); !strings.Contains(r.stdout, "HelloFunction ") || !strings.Contains(r.stdout, "ByeFunction ") {
			t.Errorf("the targets are\n%s\n%s", r.stdout, r.stderr)
		}
	})
	t.Run("a mistake in a Dockerfile", func(t *testing.T) {
		must(t, os.CopyFS(filepath.Join(dir, "wrong"), os.DirFS(filepath.Join(dir, "bye"))))
		must(t, os.WriteFile(filepath.Join(dir, "wrong/Dockerfile"), []byte("FROM scratch\nCOPPY a b\n"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "wrong.yaml"), []byte("# syntax="+x.frontend+"\n"+strings.Replace(checkedFunctions, "./bye", "./wrong", 1)), 0o644))
		const mistake = "dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)\n"
		own := run(t, b.env, "check", "-f", filepath.Join(dir, "wrong.yaml"))
		if own.code != 2 || !strings.Contains(own.stderr, mistake+real+"/wrong/Dockerfile:2\n") || !strings.Contains(own.stdout, "JSONArgsRecommended") {
			t.Errorf("samforge check exits with %d:\n%s%s", own.code, own.stdout, own.stderr)
		}
		r := x.docker(dir, "buildx", "build", "--progress", "plain", "-f", "wrong.yaml", "--call=check", ".")
		if r.code == 0 || !strings.Contains(r.stderr, "wrong/Dockerfile: "+mistake) || !strings.Contains(r.stderr, "   2 | >>> COPPY a b\n") {
			t.Errorf("docker buildx build --call=check exits with %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("a build warns", func(t *testing.T) {
		r := build("--target", "ByeFunction")
		for _, want := range []string{`RelativeEntrypoint: bye/Dockerfile: ENTRYPOINT starts "bye"`, "NumericDockerTag: the tag is a number", "FromAsCasing: "} { // in the list at the end
			if r.code != 0 || strings.Count(r.stderr, " - "+want) != 1 {
				t.Errorf("docker buildx build exits with %d, and does not say %q once:\n%s", r.code, want, r.stderr)
			}
		}
		if r := b.buildTemplate("-f", file, "--target", "ByeFunction"); r.code != 0 || strings.Count(r.stderr, `ENTRYPOINT starts "bye"`) != 1 || !strings.Contains(r.stderr, "FromAsCasing: ") {
			t.Errorf("samforge build exits with %d:\n%s", r.code, r.stderr)
		}
		must(t, os.WriteFile(file, []byte("# syntax="+x.frontend+"\n# check=error=true\n"+checkedFunctions), 0o644))
		for door, r := range map[string]result{"docker buildx build": build("--target", "ByeFunction"), "samforge build": b.buildTemplate("-f", file, "--target", "ByeFunction")} {
			if r.code == 0 || !strings.Contains(r.stderr, "lint violation found for rules: NumericDockerTag, RelativeEntrypoint") {
				t.Errorf("%s of a template that allows no findings exits with %d:\n%s", door, r.code, r.stderr)
			}
		}
	})
}

// findingsOf returns the findings of a check in JSON, sorted, each on a line. folder is left out of
// the names of files.
func findingsOf(t *testing.T, text, folder string) string {
	t.Helper()
	var results lint.LintResults
	must(t, json.Unmarshal([]byte(text), &results))
	var lines []string
	for _, w := range results.Warnings {
		name := strings.TrimPrefix(results.Sources[w.Location.SourceIndex].Filename, folder)
		lines = append(lines, fmt.Sprintf("%s:%d %s %s", name, w.Location.Ranges[0].Start.Line, w.RuleName, strings.TrimPrefix(w.Detail, name+": ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
