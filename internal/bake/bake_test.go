package bake

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/project"
)

const bakeBuildFile = `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
repo: registry.example.com/ci/sls
serverless: {version: 3.39.0}
runtimes:
  - {image: 'public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415', node: 'public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712'}
  - {image: 'public.ecr.aws/sam/build-java21:1.143.0-20250822194412', node: 'public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712'}
`

func bakeOf(t *testing.T, opt project.Options, settings project.Settings, frontend string) bakeFile {
	t.Helper()
	p, err := project.Load(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Bake(t.Context(), p, settings, frontend, nil, &out); err != nil {
		t.Fatal(err)
	}
	var file bakeFile
	if err := json.Unmarshal(out.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "images.yaml")
	if err := os.WriteFile(path, []byte("# syntax=registry.example.com/samforge-frontend:1\n"+bakeBuildFile), 0o600); err != nil {
		t.Fatal(err)
	}
	file := bakeOf(t, project.Options{
		File: path, Platforms: []string{"linux/amd64,linux/arm64"}, BuildArgs: map[string]string{"VERSION": "1.2.0"},
	}, project.Settings{
		Labels:  map[string]string{"team": "${TEAM}"},
		CacheTo: []string{"type=registry,ref=registry.example.com/cache:{{.Target}}"},
	}, "")
	for group, want := range map[string]string{
		"default": "python3_12-base python3_12-serverless java21-base java21-serverless",
		"base":    "python3_12-base java21-base", "serverless": "python3_12-serverless java21-serverless",
		"python3_12": "python3_12-base python3_12-serverless", "java21": "java21-base java21-serverless",
	} {
		if got := strings.Join(file.Group[group].Targets, " "); got != want {
			t.Errorf("the group %s has %q, want %q", group, got, want)
		}
	}
	target := file.Target["python3_12-serverless"]
	if target.Target != "python3.12-serverless" || target.Context != dir || target.Dockerfile != "images.yaml" ||
		!slices.Equal(target.Tags, []string{"registry.example.com/ci/sls:python3.12-3.39.0-1.2.0"}) ||
		!slices.Equal(target.Platforms, []string{"linux/amd64", "linux/arm64"}) ||
		!slices.Equal(target.CacheTo, []string{"type=registry,ref=registry.example.com/cache:python3.12-serverless"}) ||
		target.Labels["team"] != "$${TEAM}" || target.Args["VERSION"] != "1.2.0" {
		t.Errorf("the target is %+v", target)
	}
}

// The text of a build file on standard input goes into the bake file.
func TestBakeOfStandardInput(t *testing.T) {
	t.Parallel()
	file := bakeOf(t, project.Options{File: "-", Stdin: strings.NewReader(bakeBuildFile), Targets: []string{"java21-base"}}, project.Settings{}, "registry.example.com/samforge-frontend:1")
	target := file.Target["java21-base"]
	if len(file.Target) != 1 || target.DockerfileInline != bakeBuildFile || target.Args["BUILDKIT_SYNTAX"] != "registry.example.com/samforge-frontend:1" {
		t.Errorf("the targets are %+v", file.Target)
	}
}

func TestBakeNeedsAFrontend(t *testing.T) {
	t.Parallel()
	p, err := project.Load(t.Context(), project.Options{File: "-", Stdin: strings.NewReader(bakeBuildFile)})
	if err != nil {
		t.Fatal(err)
	}
	err = Bake(t.Context(), p, project.Settings{}, "", nil, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "# syntax=IMAGE, or name the image with --frontend") {
		t.Errorf("the error is %v", err)
	}
}

func TestProvenanceIsOffUnlessAsked(t *testing.T) {
	t.Parallel()
	const off = "type=provenance,disabled=true"
	for name, test := range map[string]struct{ asked, want []string }{
		"no attestation":        {nil, []string{off}},
		"an SBOM alone":         {[]string{"type=sbom"}, []string{"type=sbom", off}},
		"provenance":            {[]string{"type=provenance,mode=max"}, []string{"type=provenance,mode=max"}},
		"the type is not first": {[]string{"mode=min,type=provenance"}, []string{"mode=min,type=provenance"}},
	} {
		if got := attestations(test.asked); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// Functions are targets, with names that bake allows, and the frontend is told what the command knows:
// the parameters, and where the template is in a build context that has everything it needs.
func TestBakeOfATemplate(t *testing.T) {
	dir := t.TempDir()
	function := func(name, context string) string {
		return "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
			"    Metadata: {Dockerfile: Dockerfile, DockerContext: " + context + "}\n"
	}
	for name, text := range map[string]string{
		"app/template.yaml": "# syntax=registry.example.com/samforge-frontend:1\nParameters: {Stage: {Type: String}, Token: {Type: String, NoEcho: true, Default: t}}\n" +
			"Resources:\n" + function("HelloFn", "../hello") + function("default", "../hello") +
			"  Child: {Type: AWS::Serverless::Application, Properties: {Location: child/template.yaml}}\n",
		"app/child/template.yaml": "Resources:\n" + function("HelloFn", ".") + function("ByeFn", "."),
		"app/child/Dockerfile":    "FROM scratch\n", "hello/Dockerfile": "FROM scratch\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, "app"))
	opt := project.Options{File: "template.yaml", Parameters: map[string]string{"Stage": "two words"}, Region: "eu-central-1"}
	file := bakeOf(t, opt, project.Settings{}, "")
	for group, want := range map[string]string{"default": "HelloFn default_ Child_HelloFn Child_ByeFn", "ByeFn": "Child_ByeFn", "HelloFn": ""} {
		if got := strings.Join(file.Group[group].Targets, " "); got != want {
			t.Errorf("the group %s has %q, want %q", group, got, want)
		}
	}
	target := file.Target["Child_HelloFn"]
	if target.Target != "Child/HelloFn" || target.Context != ".." || target.Dockerfile != "app/template.yaml" || !slices.Equal(target.Platforms, []string{"linux/amd64"}) {
		t.Errorf("the target is %+v", target)
	}
	for name, want := range map[string]string{"SAMFORGE_PARAMETERS": `Stage="two\ words"`, "SAMFORGE_TEMPLATE_FOLDER": "app", "SAMFORGE_REGION": "eu-central-1"} {
		if target.Args[name] != want {
			t.Errorf("%s is %q, want %q", name, target.Args[name], want)
		}
	}
	opt.Parameters["Token"] = "secret"
	p, err := project.Load(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := Bake(t.Context(), p, project.Settings{}, "", nil, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "the parameter Token is NoEcho") {
		t.Errorf("a secret parameter: %v", err)
	}
	if err := os.Symlink("../hello", filepath.Join(dir, "app/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("link.yaml", []byte("# syntax=registry.example.com/samforge-frontend:1\nResources:\n"+function("HelloFn", "./link")), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = project.Load(t.Context(), project.Options{File: "link.yaml"}); err != nil {
		t.Fatal(err)
	}
	if err := Bake(t.Context(), p, project.Settings{}, "", nil, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "behind a symbolic link") {
		t.Errorf("a folder behind a link: %v", err)
	}
}
