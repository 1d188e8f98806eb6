package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// function returns a resource of a template.
func function(name, properties, metadata string) string {
	return "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image" + properties + "}\n    Metadata: {" + metadata + "}\n"
}

// A template's functions are targets, named by their paths, with the local tags of sam build.
func TestTargetsOfATemplate(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"app/template.yaml": "Resources:\n" + function("HelloFn", ", Architectures: [arm64]", "Dockerfile: Dockerfile, DockerContext: ./hello, DockerTag: v1") +
			function("SharedFn", "", "Dockerfile: fn/Dockerfile, DockerContext: ../shared") +
			"  Child: {Type: AWS::Serverless::Application, Properties: {Location: child/template.yaml}}\n",
		"app/child/template.yaml": "Resources:\n" + function("HelloFn", "", "Dockerfile: Dockerfile, DockerContext: ."),
		"app/hello/Dockerfile":    "FROM scratch\n", "app/child/Dockerfile": "FROM scratch\n", "shared/fn/Dockerfile": "FROM scratch\n",
	})
	load := func(opt Options) (*Project, []Target) {
		t.Helper()
		opt.File = filepath.Join(dir, "app/template.yaml")
		p, err := Load(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		targets, err := p.Targets(amd64)
		if err != nil {
			t.Fatal(err)
		}
		return p, targets
	}
	p, targets := load(Options{})
	var got []string
	for _, target := range targets {
		got = append(got, target.Name+" "+target.Refs[0]+" "+target.Attrs()["platform"])
	}
	const want = "HelloFn hellofn:v1 linux/arm64\nSharedFn sharedfn:latest linux/amd64\nChild/HelloFn child/hellofn:latest linux/amd64"
	if strings.Join(got, "\n") != want {
		t.Errorf("the targets are\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if real, err := filepath.EvalSymlinks(dir); err != nil || p.Context.Folder != real && p.Context.Folder != dir {
		t.Errorf("the context is %s, want %s, which has all folders (%v)", p.Context.Folder, dir, err)
	}
	if read := targets[0].image.(functionImage).read; read.Folder != "app" || read.BaseDir != "" {
		t.Errorf("the frontend reads the template as %+v", read)
	}
	if _, targets := load(Options{Excludes: []string{"Child/HelloFn", "SharedFn"}}); len(targets) != 1 || targets[0].Name != "HelloFn" {
		t.Errorf("the targets without two are %v", targets)
	}
	if p, targets := load(Options{Targets: []string{"HelloFn"}}); len(targets) != 1 || filepath.Base(p.Context.Folder) != "app" {
		t.Errorf("one target is %v, with the context %s", targets, p.Context.Folder)
	}
}

func TestMistakesAboutTemplates(t *testing.T) {
	t.Parallel()
	const complete = "Dockerfile: Dockerfile, DockerContext: ./hello"
	dir := write(t, map[string]string{"hello/Dockerfile": "FROM scratch\n", "hello/app.py": "", "stages/Dockerfile": "FROM scratch AS build\nFROM scratch\n", "zip.yaml": "Resources: {Fn: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Runtime: python3.13, Handler: a.b}}}\n"})
	for name, c := range map[string]struct {
		template string
		opt      Options
		want     string
	}{
		"a mode that is none":              {function("Fn", "", complete), Options{BuildMode: "release"}, "SAM_BUILD_MODE=release: the only mode is debug"},
		"a context that is not there":      {function("Fn", "", "Dockerfile: Dockerfile, DockerContext: ./helo"), Options{}, `template.yaml:5:55: Fn: DockerContext: there is no DIR/helo: did you mean "hello"?`},
		"a context that is a file":         {function("Fn", "", "Dockerfile: Dockerfile, DockerContext: ./hello/app.py"), Options{}, "DIR/hello/app.py is a file: name the folder that it is in"},
		"a Dockerfile that is not there":   {function("Fn", "", "Dockerfile: dockerfile, DockerContext: ./hello"), Options{}, `template.yaml:5:28: Fn: Dockerfile: there is no DIR/hello/dockerfile: did you mean "Dockerfile"?`},
		"a Dockerfile that is a folder":    {function("Fn", "", "Dockerfile: ., DockerContext: ./hello"), Options{}, "DIR/hello is a folder: name a Dockerfile in it"},
		"a stage that is not there":        {function("Fn", "", "Dockerfile: ../stages/Dockerfile, DockerContext: ./hello, DockerBuildTarget: biuld"), Options{}, `template.yaml:5:93: Fn: DockerBuildTarget: DIR/stages/Dockerfile has no stage "biuld": did you mean "build"?`},
		"a stage of another name":          {function("Fn", "", "Dockerfile: ../stages/Dockerfile, DockerContext: ./hello, DockerBuildTarget: x"), Options{}, `has no stage "x" (stages: build)`},
		"a function that is not there":     {function("HelloFn", "", complete), Options{Targets: []string{"HeloFn"}}, `the template has no function "HeloFn": did you mean "HelloFn"? (functions: HelloFn)`},
		"nothing is left":                  {function("Fn", "", complete), Options{Excludes: []string{"Fn"}}, "there is nothing to build: --exclude leaves out every function"},
		"a function that is not built":     {function("Fn", "", complete+", SkipBuild: true"), Options{Targets: []string{"Fn"}}, "template.yaml:2:3: Fn: the image of the function is not built: "},
		"another platform":                 {function("Fn", "", complete), Options{Platforms: []string{"linux/arm64"}}, "template.yaml:2:3: Fn: the function is for linux/amd64, and --platform asks for linux/arm64: leave that out, or change Architectures"},
		"a flag of the other sort of file": {function("Fn", "", complete), Options{RecipeFlags: []string{"kind"}}, "--kind is for a samforge.yaml, and template.yaml is a SAM template: leave it out"},
		"a mistake in the template":        {function("Fn", "", "Dockerfile: Dockerfile"), Options{}, "DockerContext is missing"},
		"--tag for several functions":      {function("Fn", "", complete) + function("Gn", "", complete), Options{Tags: []string{"a:1"}}, "--tag names one image, and 2 targets are selected"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.File = filepath.Join(dir, "template.yaml")
			c.opt.Stdin = strings.NewReader("")
			if err := os.WriteFile(c.opt.File, []byte("Resources:\n"+c.template), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(t.Context(), c.opt)
			real, _ := filepath.EvalSymlinks(dir)
			if want := strings.ReplaceAll(c.want, "DIR", real); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, want one that says %q", err, want)
			}
		})
	}
	if _, err := Load(t.Context(), Options{File: filepath.Join(dir, "zip.yaml")}); err == nil || !strings.Contains(err.Error(), "there is nothing to build") {
		t.Errorf("a template without images: %v", err)
	}
}

// SAM_BUILD_MODE=debug is a build argument of every function, and part of its tag.
func TestFunctionsForDebugging(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"template.yaml":    "Resources:\n" + function("HelloFn", "", "Dockerfile: Dockerfile, DockerContext: ./hello, DockerTag: v1"),
		"hello/Dockerfile": "FROM scratch\n",
	})
	for want, opt := range map[string]Options{
		"hellofn:v1 ":            {},
		"hellofn:v1-debug debug": {BuildMode: "debug"},
		"hellofn:v1-debug other": {BuildMode: "debug", BuildArgs: map[string]string{"SAM_BUILD_MODE": "other"}},
		"registry.example.com/app:hellofn-000000000000-v1-debug debug": {BuildMode: "debug", Repo: "registry.example.com/app"},
	} {
		opt.File = filepath.Join(dir, "template.yaml")
		p, err := Load(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		targets, err := p.Targets(amd64)
		if err != nil || targets[0].Refs[0]+" "+p.Args["SAM_BUILD_MODE"] != want {
			t.Errorf("got %s and the argument %q, %v; want %s", targets[0].Refs[0], p.Args["SAM_BUILD_MODE"], err, want)
		}
	}
}

// Builds whose arguments look alike, written one after the other, are not equal.
func TestInputsOfArgumentsThatLookAlike(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"template.yaml": "Resources:\n" + function("OneFn", "", "Dockerfile: Dockerfile, DockerContext: ., DockerBuildArgs: {A: 1 B:2}") +
			function("TwoFn", "", "Dockerfile: Dockerfile, DockerContext: ., DockerBuildArgs: {A: 1, B: 2}"),
		"Dockerfile": "FROM scratch\nARG A\nARG B\n",
	})
	p, err := Load(t.Context(), Options{File: filepath.Join(dir, "template.yaml"), Repo: "registry.example.com/app"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.FindInputs(t.Context(), nil, Settings{}); err != nil {
		t.Fatal(err)
	}
	targets, err := p.Targets(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if targets[0].Inputs.Digest() == targets[1].Inputs.Digest() {
		t.Error("two builds with other arguments have one digest")
	}
}
