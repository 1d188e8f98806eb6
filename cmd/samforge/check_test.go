package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/subrequests/lint"

	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/llbgen"
)

// checkFile is a build file without findings.
const checkFile = `kind: sam
plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
runtimes: [{image: 'public.ecr.aws/sam/build-java17.al2023:1.164.0-20260720000000'}]
goTemplate: false
`

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		file string // empty means no file
		args []string
		code int
		want string // on standard output
		err  string
	}{
		"nothing is found": {file: checkFile, want: "Check complete, no warnings found.\n"},
		"one warning": {
			file: checkFile + "docker: {version: 24.0.9}\n", code: exitFailed,
			want: "Check complete, 1 warning has been found!\n\nWARNING: OldDockerCLI - https://github.com/samforge/samforge/blob/main/docs/rules.md#olddockercli\n",
		},
		"two warnings": {
			file: checkFile + "docker: {version: 24.0.9}\n", args: []string{"--build-arg", "VERSION=1.1.2"}, code: exitFailed,
			want: "Check complete, 2 warnings have been found!\n",
		},
		"a warning that is skipped": {file: "# check=skip=OldDockerCLI\n" + checkFile + "docker: {version: 24.0.9}\n", want: "Check complete, no warnings found.\n"},
		"a mirror of the gallery": {
			file: strings.Replace(checkFile, "public.ecr.aws", "mirror.example.com", 1), args: []string{"--mirror", "public.ecr.aws=mirror.example.com"},
			want: "Check complete, no warnings found.\n",
		},
		"a target that is not there": {file: checkFile, args: []string{"--target", "java18"}, code: exitInput, err: "unknown target \"java18\""},
		"a named context":            {file: checkFile, args: []string{"--build-context", "a=."}, code: exitInput, err: "--build-context is for a SAM template here, and samforge.yaml is none"},
		"a mistake": {
			file: checkFile + "dokcer: false\n", code: exitInput,
			err: "samforge.yaml:5:1: unknown key \"dokcer\": did you mean \"docker\"?\nif the file is made for a newer samforge, use that\nsamforge.yaml:5\n",
		},
		"no file":                       {code: exitInput, err: "there is no samforge.yaml in "},
		"the named file does not exist": {args: []string{"-f", "missing.yaml"}, code: exitInput, err: "read the build file: open missing.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(dir, llbgen.Filename), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := execute(append([]string{"check", dir}, c.args...)...)
			if code := codeOf(err); code != c.code || !strings.HasPrefix(out, c.want) {
				t.Errorf("exit code %d, want %d; it prints\n%s\nwant\n%s", code, c.code, out, c.want)
			}
			if c.err != "" && (err == nil || out != "" || !strings.HasPrefix(err.Error(), c.err)) {
				t.Errorf("the error is %v, want %s; it prints %q", err, c.err, out)
			}
		})
	}
}

func codeOf(err error) int {
	if err == nil {
		return 0
	}
	return exitCode(err)
}

func TestCheckAsJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.yaml")
	for content, want := range map[string]struct {
		warnings string
		mistake  bool
	}{
		checkFile: {},
		checkFile + "docker: {version: 24.0.9}\n": {warnings: "OldDockerCLI"},
		"kind: none\n": {mistake: true},
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := execute("check", "-f", file, "--format", "json")
		var results lint.LintResults
		if err := json.Unmarshal([]byte(out), &results); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		var rules []string
		for _, w := range results.Warnings {
			rules = append(rules, w.RuleName)
		}
		if strings.Join(rules, " ") != want.warnings || (results.Error != nil) != want.mistake || results.Sources[0].Filename != "images.yaml" {
			t.Errorf("%s\ngives\n%s", content, out)
		}
	}
}

func TestRulesAreListed(t *testing.T) {
	table, err := execute("check", "--rules")
	if err != nil {
		t.Fatal(err)
	}
	data, err := execute("check", "--rules", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var listed []struct{ Name, URL string }
	if err := json.Unmarshal([]byte(data), &listed); err != nil {
		t.Fatal(err)
	}
	for i, r := range rules.All() {
		if !strings.Contains(table, "\n"+r.Name+" ") || listed[i].Name != r.Name || listed[i].URL != r.URL() {
			t.Errorf("%s is missing in\n%s\nor in\n%s", r.Name, table, data)
		}
	}
}

// A template is found where there is no samforge.yaml, and checked with its parameters and the
// configuration of SAM CLI.
func TestCheckOfATemplate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"template.yaml": "Parameters: {Tag: {Type: String}}\nResources:\n  HelloFn:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
			"    Metadata: {Dockerfile: Dockerfile, DockerContext: ., DockerTag: !Ref Tag}\n",
		"Dockerfile":     "FROM public.ecr.aws/lambda/python:3.8\n",
		"samconfig.toml": "[prod.build.parameters]\nparameter_overrides = [\"Tag=v1\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args       []string
		code       int
		out, wrong string
	}{
		"a parameter is missing":        {nil, exitInput, "", "the parameter Tag has no value"},
		"a parameter on the line":       {[]string{"--parameter-overrides", "Tag=v2", "--fail-on", "date"}, exitFailed, "WARNING: RuntimeEndOfLife - https://", ""},
		"a parameter in samconfig.toml": {[]string{"--config-env", "prod"}, 0, "Findings that depend on today's date: 1. They fail the check only with --fail-on=date.", ""},
		"what fails is misspelt":        {[]string{"--config-env", "prod", "--fail-on", "dates"}, exitInput, "", "--fail-on \"dates\": use warning, date, none"},
		"a function that is not there":  {[]string{"--config-env", "prod", "--target", "HeloFn"}, exitInput, "", `did you mean "HelloFn"?`},
		"a flag of the other sort":      {[]string{"--kind", "sam"}, exitInput, "", "--kind is for a samforge.yaml"},
		"a rule that is skipped":        {[]string{"--config-env", "prod", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=RuntimeEndOfLife"}, 0, "Check complete, no warnings found.", ""},
	} {
		out, err := execute(append([]string{"check", dir}, c.args...)...)
		if code := codeOf(err); code != c.code || !strings.Contains(out, c.out) {
			t.Errorf("%s: exit code %d, want %d; it prints\n%s", name, code, c.code, out)
		}
		if c.wrong != "" && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
