package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// today is a day on which python3.8 is past its end of life, and python3.13 is not.
var today = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

// text returns findings of rules, each on a line: its place, its rule and the message.
func text(found []*source.Diagnostic) string {
	var lines []string
	for _, d := range found {
		lines = append(lines, fmt.Sprintf("%s:%d %s: %s", d.Filename, d.Line, d.Rule, d.Message))
	}
	return strings.Join(lines, "\n")
}

// wantFindings fails the test unless the findings are one that begins with want, or none.
func wantFindings(t *testing.T, found []*source.Diagnostic, want string) {
	t.Helper()
	if got := text(found); want == "" && got != "" || !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
		t.Errorf("the findings are\n%s\nwant\n%s", got, want)
	}
}

// TestRulesOfTemplates: each common mistake in a template is found at its line, and what is right is
// not.
func TestRulesOfTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ template, want string }{
		"nothing is wrong": {template: fn(", ImageConfig: {EntryPoint: [/app], Command: [a]}", complete+", DockerTag: v1, DockerBuildArgs: {STAGE: prod}")},
		"a token as a build argument": {
			fn("", complete+",\n      DockerBuildArgs: {NPM_TOKEN: canary}"),
			"template.yaml:6 SecretInBuildArg: the build argument NPM_TOKEN looks like a secret",
		},
		"a password as a build argument":     {fn("", complete+", DockerBuildArgs: {DB_PASSWORD: !Sub 'a${AWS::Region}'}"), "template.yaml:5 SecretInBuildArg: the build argument DB_PASSWORD looks like"},
		"an empty token":                     {template: fn("", complete+", DockerBuildArgs: {NPM_TOKEN: ''}")},
		"a public key":                       {template: fn("", complete+", DockerBuildArgs: {PUBLIC_KEY: a}")},
		"a tag that is a number":             {fn("", complete+", DockerTag: 1.10"), "template.yaml:5 NumericDockerTag: the tag is a number, and SAM would write it in another way than 1.10"},
		"a tag that is a number in quotes":   {template: fn("", complete+", DockerTag: '1.10'")},
		"a tag that is a whole number":       {template: fn("", complete+", DockerTag: 12")},
		"provenance":                         {fn("", complete+", DockerBuildExtraParams: [--provenance=true]"), "template.yaml:5 RefusedAttestation: --provenance makes an index of the image"},
		"provenance in two words":            {fn("", complete+", DockerBuildExtraParams: [--provenance, mode=max]"), "template.yaml:5 RefusedAttestation: --provenance makes"},
		"an SBOM":                            {fn("", complete+", DockerBuildExtraParams: ['--sbom=generator=a/b']"), "template.yaml:5 RefusedAttestation: --sbom makes"},
		"an attestation":                     {fn("", complete+", DockerBuildExtraParams: [--attest, type=sbom]"), "template.yaml:5 RefusedAttestation: --attest makes"},
		"no provenance":                      {template: fn("", complete+", DockerBuildExtraParams: [--provenance=false, --sbom, 'false', --attest, 'type=provenance,disabled=true']")},
		"flags that samforge does not use":   {fn("", complete+", DockerBuildExtraParams: [--ssh, default, --builder=a]"), "template.yaml:5 : --builder=a in DockerBuildExtraParams is not used: give the flag to the build, for all functions"},
		"an argument of the environment":     {fn("", complete+", DockerBuildExtraParams: [--build-arg, A]"), "template.yaml:5 : --build-arg A in DockerBuildExtraParams is not used"},
		"flags that samforge uses":           {template: fn("", complete+", DockerBuildExtraParams: [--ssh, default, '--secret=id=a,env=A', --load, --progress=plain, --no-cache]")},
		"a relative entry point":             {fn(", ImageConfig: {EntryPoint: [./app]}", complete), `template.yaml:4 RelativeEntrypoint: EntryPoint of ImageConfig starts "./app", and Lambda takes only an absolute path`},
		"an entry point in PATH":             {fn(", ImageConfig: {EntryPoint: [python3, -m, awslambdaric]}", complete), `template.yaml:4 RelativeEntrypoint: EntryPoint of ImageConfig starts "python3", which is searched in PATH`},
		"a shell as entry point":             {fn(", ImageConfig: {EntryPoint: [/bin/sh, -c, ./app]}", complete), "template.yaml:4 RelativeEntrypoint: EntryPoint of ImageConfig is in the shell form"},
		"an entry point that is not known":   {template: fn(", ImageConfig: {EntryPoint: [!GetAtt A.B]}", complete)},
		"a rule that is skipped":             {template: "# check=skip=NumericDockerTag\n" + fn("", complete+", DockerTag: 1.10")},
		"all rules are skipped":              {template: "# check=skip=all\n" + fn(", ImageConfig: {EntryPoint: [./app]}", complete+", DockerTag: 1.10, DockerBuildArgs: {NPM_TOKEN: a}")},
		"a rule that is misspelt":            {"# check=skip=NumericDockrTag\n" + fn("", complete), `template.yaml:1 UnknownRule: there is no rule "NumericDockrTag" for SAM templates: did you mean "NumericDockerTag"?`},
		"a rule of samforge.yaml":            {"# check=skip=OldDockerCLI\n" + fn("", complete), `template.yaml:1 UnknownRule: there is no rule "OldDockerCLI"`},
		"code of a zip function is in S3":    {template: fn("", complete) + "  Zip: {Type: AWS::Serverless::Function, Properties: {CodeUri: 's3://bucket/a.zip', Runtime: python3.13, Handler: a.b}}\n"},
		"code of a zip function is local":    {fn("", complete) + "  Zip: {Type: AWS::Serverless::Function, Properties: {CodeUri: ./zip, Runtime: python3.13, Handler: a.b}}\n", "template.yaml:6 LocalZipCode: the code in ./zip is no image"},
		"code of a zip function is inline":   {template: fn("", complete) + "  Zip: {Type: AWS::Serverless::Function, Properties: {InlineCode: a, Runtime: python3.13, Handler: a.b}}\n"},
		"a directive that is too far down":   {fn("", complete) + "# check=skip=all\n", "template.yaml:6 UnknownRule: this check directive does not count"},
		"a function whose code is a zip too": {template: fn("", complete) + "  Zip: {Type: AWS::Lambda::Function, Properties: {Code: {S3Bucket: a, S3Key: b}}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := mustLoad(t, test.template, nil)
			found := append(template.AllWarnings(), template.Lint()...)
			wantFindings(t, append(found, template.Functions[0].Lint()...), test.want)
		})
	}
}

// TestRulesOfDockerfiles: the same for the Dockerfile of a function.
func TestRulesOfDockerfiles(t *testing.T) {
	t.Parallel()
	const python = "FROM public.ecr.aws/lambda/python:3.13\n"
	arm := fn(", Architectures: [arm64]", complete)
	for name, test := range map[string]struct{ template, dockerfile, want string }{
		"nothing is wrong":        {dockerfile: python + "COPY app.py ./\nCMD [\"app.handler\"]\n"},
		"no tag":                  {"", "FROM golang\n", "Dockerfile:1 UnpinnedBase: golang has no tag, which means latest"},
		"latest":                  {"", "# comment\nFROM golang:latest\n", "Dockerfile:2 UnpinnedBase: golang:latest is another image with every release"},
		"a digest":                {dockerfile: "FROM golang@sha256:" + strings.Repeat("a", 64) + "\n"},
		"an image that is copied": {"", python + "COPY --from=tools:latest /a /b\n", "Dockerfile:2 UnpinnedBase: tools:latest"},
		"an image that is mounted": {
			"", python + "RUN --mount=type=bind,from=tools,target=/t true\n", "Dockerfile:2 UnpinnedBase: tools has no tag",
		},
		"a stage that is copied":                 {dockerfile: "FROM golang:1.24 AS build\nFROM scratch\nCOPY --from=build /a /a\nENTRYPOINT [\"/a\"]\n"},
		"a stage by its number":                  {dockerfile: "FROM golang:1.24\nFROM scratch\nCOPY --from=0 /a /a\n"},
		"the base of a stage that is copied":     {"", "FROM golang AS build\nFROM scratch\nCOPY --from=build /a /a\n", "Dockerfile:1 UnpinnedBase: golang has no tag"},
		"a stage that is not reached":            {dockerfile: "FROM golang AS other\n" + python},
		"a stage behind the target":              {template: fn("", complete+", DockerBuildTarget: app"), dockerfile: python[:len(python)-1] + " AS app\nFROM golang\n"},
		"a target that is not there":             {template: fn("", complete+", DockerBuildTarget: other"), dockerfile: "FROM golang\n"},
		"an argument with a default":             {"", "ARG TAG=latest\nFROM golang:${TAG}\n", "Dockerfile:2 UnpinnedBase: golang:latest"},
		"an argument of the template":            {template: fn("", complete+", DockerBuildArgs: {TAG: '1.24'}"), dockerfile: "ARG TAG=latest\nFROM golang:${TAG}\n"},
		"an argument without a value":            {dockerfile: "ARG TAG\nFROM golang:${TAG}\n"},
		"an image that is replaced":              {dockerfile: "FROM pinned\n"},
		"a runtime past its end of life":         {"", "FROM public.ecr.aws/lambda/python:3.8\n", "Dockerfile:1 RuntimeEndOfLife: python3.8 is past its end of life, 2024-10-14: move to python3.14"},
		"a build of it, from Docker Hub":         {"", "FROM amazon/aws-lambda-nodejs:16.2024.01.02.03\n", "Dockerfile:1 RuntimeEndOfLife: nodejs16.x is past"},
		"a SAM build image past its end of life": {"", "FROM public.ecr.aws/sam/build-ruby2.7:1.100.0 AS build\n" + python + "COPY --from=build /a /a\n", "Dockerfile:1 RuntimeEndOfLife: ruby2.7 is past"},
		"go1.x":                                  {"", "FROM public.ecr.aws/lambda/go:1\n", "Dockerfile:1 RuntimeEndOfLife: go1.x is past"},
		"Java on Amazon Linux 2023":              {dockerfile: "FROM public.ecr.aws/lambda/java:17.al2023\n"},
		"provided":                               {dockerfile: "FROM public.ecr.aws/lambda/provided:al2023\n"},
		"an image for x86_64":                    {arm, "FROM public.ecr.aws/lambda/python:3.13-x86_64\n", "Dockerfile:1 WrongArchitecture: the image is for x86_64, and the function for linux/arm64: use the tag for it, or change Architectures to [x86_64]"},
		"an image for arm64":                     {"", "FROM public.ecr.aws/lambda/python:3.13-arm64 AS base\nFROM base\n", "Dockerfile:1 WrongArchitecture: the image is for arm64, and the function for linux/amd64"},
		"an image for arm64, rightly":            {template: arm, dockerfile: "FROM public.ecr.aws/lambda/python:3.13-arm64\n"},
		"a stage of another architecture":        {template: arm, dockerfile: "FROM --platform=linux/amd64 golang:1.24-amd64 AS build\nFROM public.ecr.aws/lambda/provided:al2023\nCOPY --from=build /a /a\n"},
		"--platform":                             {arm, "FROM --platform=linux/amd64 public.ecr.aws/lambda/python:3.13\n", "Dockerfile:1 WrongArchitecture: --platform is linux/amd64, and the function is for linux/arm64"},
		"--platform of the target":               {template: arm, dockerfile: "FROM --platform=$TARGETPLATFORM public.ecr.aws/lambda/python:3.13\n"},
		"--platform of the builder":              {template: arm, dockerfile: "FROM --platform=$BUILDPLATFORM public.ecr.aws/lambda/python:3.13\n"},
		"a relative ENTRYPOINT":                  {"", python + "ENTRYPOINT [\"/app\"]\nENTRYPOINT [\"./app\"]\n", `Dockerfile:3 RelativeEntrypoint: ENTRYPOINT starts "./app", and Lambda takes only an absolute path`},
		"an ENTRYPOINT in the shell form":        {"", python + "ENTRYPOINT ./app\n", "Dockerfile:2 RelativeEntrypoint: ENTRYPOINT is in the shell form"},
		"an ENTRYPOINT of the stage before": {
			"", python[:len(python)-1] + " AS base\nENTRYPOINT [\"app\"]\nFROM base\nCMD [\"a\"]\n", `Dockerfile:2 RelativeEntrypoint: ENTRYPOINT starts "app", which is searched in PATH`,
		},
		"an ENTRYPOINT that is replaced later":       {dockerfile: python + "ENTRYPOINT [\"./app\"]\nENTRYPOINT [\"/app\"]\n"},
		"an ENTRYPOINT that the template replaces":   {template: fn(", ImageConfig: {EntryPoint: [/app]}", complete), dockerfile: python + "ENTRYPOINT ./app\n"},
		"an ENTRYPOINT of another stage":             {dockerfile: "FROM golang:1.24 AS build\nENTRYPOINT ./app\n" + python + "COPY --from=build /a /a\n"},
		"a rule that the Dockerfile skips":           {dockerfile: "# check=skip=UnpinnedBase\nFROM golang\n"},
		"a rule that the template skips":             {template: "# check=skip=UnpinnedBase\n" + fn("", complete), dockerfile: "FROM golang\n"},
		"a Dockerfile that does not parse":           {dockerfile: "FORM golang\n"},
		"a Dockerfile with a directive that is none": {"", "# check=what\nFROM golang\n", "Dockerfile:2 UnpinnedBase"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.template == "" {
				test.template = fn("", complete)
			}
			f := mustLoad(t, test.template, nil).Functions[0]
			known, err := catalogue.Load()
			if err != nil {
				t.Fatal(err)
			}
			wantFindings(t, f.LintDockerfile(samtemplate.Dockerfile{
				Name: "Dockerfile", Data: []byte(test.dockerfile), Catalogue: known, Today: today,
				IsPinned: func(ref string) bool { return ref == "pinned" },
			}), test.want)
		})
	}
}

// TestTargets: a stage is named without regard to case, and not by its number.
func TestTargets(t *testing.T) {
	t.Parallel()
	const stages = "FROM scratch AS build\nFROM scratch\n"
	for target, want := range map[string]bool{"build": true, "Build": true, "0": false, "test": false} {
		f := mustLoad(t, fn("", complete+", DockerBuildTarget: '"+target+"'"), nil).Functions[0]
		if mistake := f.CheckTarget(samtemplate.Dockerfile{Name: "Dockerfile", Data: []byte(stages)}); (mistake == nil) != want {
			t.Errorf("%s: %v", target, mistake)
		}
		if mistake := f.CheckTarget(samtemplate.Dockerfile{Data: []byte("# syntax=example.com/other\n" + stages)}); mistake != nil {
			t.Errorf("%s of another frontend: %v", target, mistake)
		}
	}
}

// TestChecksOfAnArgument: the build argument takes the place of the directives, in Dockerfiles too.
func TestChecksOfAnArgument(t *testing.T) {
	t.Parallel()
	checks := "skip=NumericDockerTag,JSONArgsRecommended;error=true"
	file := samtemplate.File{Name: "template.yaml", Data: []byte("# check=skip=all\n" + fn("", complete+", DockerTag: 1.10"))}
	template, err := samtemplate.Load(file, samtemplate.Options{Checks: &checks})
	if err != nil {
		t.Fatal(err)
	}
	if found := text(template.AllWarnings()); found != "" || !template.RefusesFindings() {
		t.Errorf("the findings are %s, refused: %t", found, template.RefusesFindings())
	}
	wantFindings(t, template.Functions[0].LintDockerfile(samtemplate.Dockerfile{
		Name: "Dockerfile", Data: []byte("# check=skip=UnpinnedBase\nFROM golang\n"), Today: today,
	}), "Dockerfile:2 UnpinnedBase")
	checks = "what"
	if _, err := samtemplate.Load(file, samtemplate.Options{Checks: &checks}); err == nil || !strings.Contains(err.Error(), "build argument BUILDKIT_DOCKERFILE_CHECK: invalid check option") {
		t.Errorf("the error is %v", err)
	}
}

// TestLinesWithSecrets: the lines with values of NoEcho parameters, and with secrets as build
// arguments, are not in the text that findings show.
func TestLinesWithSecrets(t *testing.T) {
	t.Parallel()
	template := mustLoad(t, "Parameters:\n  Password:\n    Type: String\n    NoEcho: true\n    Default: |-\n      canary\n      canary\n  Stage: {Type: String, Default: prod}\n"+
		fn("", complete+",\n      DockerBuildArgs: {NPM_TOKEN: canary,\n        STAGE: !Ref Stage},\n      DockerBuildExtraParams: [--build-arg,\n        API_KEY=canary]"), nil)
	shown := string(template.Shown())
	if strings.Contains(shown, "canary") || !strings.Contains(shown, "Stage: {Type") || strings.Count(shown, "\n") != 17 {
		t.Errorf("the text is\n%s", shown)
	}
	for name, text := range map[string]string{
		"a mistake": "Parameters:\n  P:\n    NoEcho: true\n    Default: canary\n    MinLength: []\nResources: []\n",
		"JSON":      `{"Parameters": {"P": {"NoEcho": true,` + "\n" + `"Default": "canary"}}, "Resources": {}}`,
		"a list":    "Parameters: []\nResources: {}\n",
		"nothing":   "",
	} {
		if shown := string(samtemplate.Shown([]byte(text))); strings.Count(shown, "\n") != strings.Count(text, "\n") || strings.Contains(shown, "canary") {
			t.Errorf("%s: the text is\n%s", name, shown)
		}
	}
	if shown := samtemplate.Shown([]byte("Parameters:\n  P: {NoEcho: true, Default: canary\n")); shown != nil {
		t.Errorf("the text of what is no YAML is %s", shown)
	}
	if found := template.Functions[0].Lint(); strings.Contains(fmt.Sprint(found), "canary") || len(found) != 2 {
		t.Errorf("the findings are\n%v", found)
	}
}
