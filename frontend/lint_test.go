package frontend

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// lintFile has a finding on line 4, and one about its build argument.
const lintFile = `kind: sam
plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
runtimes: [{image: 'public.ecr.aws/sam/build-java17.al2023:1.164.0-20260720000000'}]
docker: {version: 24.0.9}
goTemplate: false
`

func TestLint(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Lint("samforge.yaml", []byte(lintFile), nil, map[string]string{"API_KEY": "hunter2"}, nil).PrintTo(&out, nil); err != nil {
		t.Fatal(err)
	}
	const want = `
WARNING: SecretInBuildArg - https://github.com/samforge/samforge/blob/main/docs/rules.md#secretinbuildarg
build argument API_KEY: this looks like a secret, and build arguments are recorded with the image: use ` + "`docker login`" + `, or --secret

WARNING: OldDockerCLI - https://github.com/samforge/samforge/blob/main/docs/rules.md#olddockercli
Docker CLI 24 is older than API 1.44, and Docker Engine 29 refuses it: use 25 or later, such as 28.5.2
samforge.yaml:4
--------------------
   2 |     plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
   3 |     runtimes: [{image: 'public.ecr.aws/sam/build-java17.al2023:1.164.0-20260720000000'}]
   4 | >>> docker: {version: 24.0.9}
   5 |     goTemplate: false
   6 |     
--------------------
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestLintTellsMistakesWithTheirLines(t *testing.T) {
	t.Parallel()
	results := Lint("samforge.yaml", []byte(withMistakes), nil, nil, nil)
	if results.Error == nil || len(results.Error.Location.Ranges) != 2 || len(results.Warnings) > 0 {
		t.Fatalf("the results are %+v, want an error with two places", results)
	}
	var out bytes.Buffer
	results.PrintErrorTo(&out, nil)
	for _, want := range []string{"samforge.yaml:2:1: unknown key \"plugins\"", "   2 | >>> plugins: {}", "   3 | >>> repo: [a]", "if the file is made for a newer samforge, use that"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not tell %q:\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "plugins: {}") != 1 {
		t.Errorf("it tells a line twice:\n%s", out.String())
	}
}

// A finding has the form of the Dockerfile frontend's, any other warning stays as it is.
func TestWarningsOfABuild(t *testing.T) {
	t.Parallel()
	plan, err := llbgen.Load("samforge.yaml", []byte(lintFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, opts := warning(plan.Warnings[0])
	if want := "OldDockerCLI: Docker CLI 24 is older than API 1.44, and Docker Engine 29 refuses it: use 25 or later, such as 28.5.2 (line 4)"; text != want {
		t.Errorf("the text is %q, want %q", text, want)
	}
	if opts.Level != 1 || len(opts.Range) != 1 || string(opts.Detail[0]) != llbgen.RuleNamed(plan.Warnings[0].Rule).Description || !strings.HasSuffix(opts.URL, "#olddockercli") {
		t.Errorf("the options are %+v", opts)
	}
	if text, opts := warning(&source.Diagnostic{Message: "this builder is old"}); text != "this builder is old" || opts.URL != "" || opts.Detail != nil {
		t.Errorf("a warning of no rule is %q, %+v", text, opts)
	}
}

// TestVeryManyFindings: a file that is made of findings gives a result of a sensible size.
func TestVeryManyFindings(t *testing.T) {
	t.Parallel()
	file := "kind: sam\nplugin: {image: 'a:1.2.3', version: 1.2.3}\ngoTemplate: false\nruntimes:\n"
	for n := range 1_001 {
		file += fmt.Sprintf("  - {image: 'public.ecr.aws/sam/build-python3.12:1.143.0', name: python%d}\n", n)
	}
	results := Lint("samforge.yaml", []byte(file), nil, nil, nil)
	if results.Error != nil || len(results.Warnings) != maxFindings+1 {
		t.Fatalf("there are %d warnings, %v", len(results.Warnings), results.Error)
	}
	if last := results.Warnings[maxFindings].Detail; !strings.HasSuffix(last, " more findings are not shown") {
		t.Errorf("the last one is %q", last)
	}
}
