package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/roundtrip"
	"github.com/samforge/samforge/llbgen"
)

// A finding fails a build whose file allows none: once, with its line, and only if it is about a
// target that is built.
func TestFindingsAreRefusedBeforeTheBuild(t *testing.T) {
	t.Parallel()
	const file = `# check=error=true
kind: sam
plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
runtimes:
  - image: public.ecr.aws/sam/build-java17.al2023:1.164.0-20260720000000
  - image: public.ecr.aws/sam/build-python3.7:1.100.0-20240206202436-x86_64
goTemplate: false
`
	violation := func(targets ...string) error {
		p, err := Load(t.Context(), Options{File: "-", Stdin: strings.NewReader(file), Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		return p.Violation()
	}
	if err := violation("java17.al2023"); err != nil {
		t.Errorf("a target without findings: %v", err)
	}
	err := violation()
	var found *llbgen.LintError
	if !errors.As(err, &found) || len(found.Findings) != 1 {
		t.Fatalf("the error is %v, want one with one finding", err)
	}
	const want = `stdin:6:12: runtimes[1].image: AWS no longer publishes images for python3.7: it stays at its last version
   6 |   - image: public.ecr.aws/sam/build-python3.7:1.100.0-20240206202436-x86_64
                  ^
lint violation found for rules: RuntimeEndOfLife`
	if err.Error() != want {
		t.Errorf("the error is\n%v\nwant\n%s", err, want)
	}
}

// A template is checked with the Dockerfiles of its functions, each once, and without a registry as
// long as they begin with Lambda's images.
func TestCheckOfATemplate(t *testing.T) {
	t.Parallel()
	const metadata = "Dockerfile: Dockerfile, DockerContext: ./hello"
	dir := write(t, map[string]string{
		"template.yaml": "Resources:\n" + function("HelloFn", "", metadata) + function("ByeFn", ", Architectures: [arm64]", metadata+", DockerTag: 1.10") +
			"  Child: {Type: AWS::Serverless::Application, Properties: {Location: child.yaml}}\n" +
			"  ZipFn: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Runtime: python3.13, Handler: a.b}}\n",
		"child.yaml":       "# check=skip=UnpinnedBase\nResources:\n" + function("ChildFn", ", ImageConfig: {EntryPoint: [app]}", "Dockerfile: Dockerfile, DockerContext: ./child"),
		"hello/Dockerfile": "FROM public.ecr.aws/lambda/python:latest\nCMD app.handler\n",
		"child/Dockerfile": "FROM public.ecr.aws/lambda/python:latest\nCMD [\"app.handler\"]\n",
		"wrong/Dockerfile": "FORM scratch\n",
		"wrong.yaml":       "Resources:\n" + function("WrongFn", "", "Dockerfile: Dockerfile, DockerContext: ./wrong") + function("HelloFn", "", metadata),
		"locked.yaml":      "Resources:\n" + function("HelloFn", "", metadata),
		"locked.lock":      "version: 1\nimages:\n  public.ecr.aws/lambda/python:latest: {digest: \"sha256:" + strings.Repeat("a", 64) + "\"}\n",
		"missing.yaml":     "Resources:\n" + function("Fn", "", "Dockerfile: Dockerfile, DockerContext: ./helo"),
	})
	check := func(opt Options) (found, mistake string) {
		t.Helper()
		opt.File = filepath.Join(dir, opt.File)
		client := registry.NewClient(registry.NewKeychain(func(string) {}, registry.AWS{}), roundtrip.DefaultSilence)
		results, err := Check(t.Context(), opt, registry.NewResolver(nowhere(t), client))
		if results == nil {
			t.Fatal(err)
		}
		for _, w := range results.Warnings {
			name, err := filepath.Rel(dir, results.Sources[w.Location.SourceIndex].Filename)
			if err != nil {
				t.Fatal(err)
			}
			found += fmt.Sprintf("%s:%d %s\n", name, w.Location.Ranges[0].Start.Line, w.RuleName)
		}
		if (err == nil) != (results.Error == nil) {
			t.Errorf("the error is %v, and in the results %v", err, results.Error)
		}
		if err != nil {
			mistake = strings.ReplaceAll(err.Error(), dir, "DIR")
		}
		return found, mistake
	}
	const hello = "hello/Dockerfile:2 JSONArgsRecommended\n"
	for name, c := range map[string]struct {
		opt            Options
		found, mistake string
	}{
		"all functions":                   {Options{File: "template.yaml"}, hello + "template.yaml:9 NumericDockerTag\nhello/Dockerfile:1 UnpinnedBase\nchild.yaml:5 RelativeEntrypoint\ntemplate.yaml:11 LocalZipCode\n", ""},
		"one function":                    {Options{File: "child.yaml", Targets: []string{"ChildFn"}}, "child.yaml:5 RelativeEntrypoint\n", ""},
		"all but one":                     {Options{File: "template.yaml", Excludes: []string{"ChildFn"}}, hello + "template.yaml:9 NumericDockerTag\nhello/Dockerfile:1 UnpinnedBase\ntemplate.yaml:11 LocalZipCode\n", ""},
		"an image that the lock file has": {Options{File: "locked.yaml"}, hello, ""},
		"a mistake in a Dockerfile": {
			Options{File: "wrong.yaml"}, hello + "hello/Dockerfile:1 UnpinnedBase\n",
			"dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)\nDIR/wrong/Dockerfile:1\n--------------------\n   1 | >>> FORM scratch\n",
		},
		"a mistake in the template": {Options{File: "missing.yaml"}, "", "DIR/missing.yaml:5:55: Fn: DockerContext: there is no DIR/helo: did you mean \"hello\"?\n   5 | "},
	} {
		found, mistake := check(c.opt)
		if found != c.found || !strings.HasPrefix(mistake, c.mistake) || c.mistake == "" && mistake != "" {
			t.Errorf("%s: found\n%s\nwant\n%s\nthe mistake is %q, want %q", name, found, c.found, mistake, c.mistake)
		}
	}
}

// The Dockerfiles of a build context on another machine cannot be read.
func TestCheckOfARemoteTemplate(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"template.yaml": "Resources:\n" + function("Fn", "", "Dockerfile: Dockerfile, DockerContext: .")})
	_, err := Check(t.Context(), Options{File: filepath.Join(dir, "template.yaml"), Context: "https://example.com/app.git"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "the Dockerfiles are read on this machine") {
		t.Errorf("the error is %v", err)
	}
}

// nowhere returns the context of a resolver that must not be used: it asks no registry.
func nowhere(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A template that allows no findings is not built with some. LocalZipCode is none of them: the code
// of other functions is not samforge's.
func TestFindingsOfATemplateAreRefused(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"hello/Dockerfile": "FROM golang\n"})
	violation := func(directive string) string {
		t.Helper()
		file := filepath.Join(dir, "template.yaml")
		text := directive + "Resources:\n" + function("HelloFn", "", "Dockerfile: Dockerfile, DockerContext: ./hello") +
			"  ZipFn: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Runtime: python3.13, Handler: a.b}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Load(t.Context(), Options{File: file})
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(fmt.Sprint(p.Violation()), dir, "DIR")
	}
	const none = "<nil>"
	for directive, want := range map[string]string{
		"":                                       none,
		"# check=error=true\n":                   "DIR/hello/Dockerfile:1:1: golang has no tag, which means latest: add a tag or a digest\n   1 | FROM golang\n       ^\nlint violation found for rules: UnpinnedBase",
		"# check=error=true;skip=UnpinnedBase\n": none,
	} {
		if got := violation(directive); got != want {
			t.Errorf("%q: the error is\n%s\nwant\n%s", directive, got, want)
		}
	}
}
