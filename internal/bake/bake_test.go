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
	if err := Bake(p, settings, frontend, &out); err != nil {
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
	err = Bake(p, project.Settings{}, "", &bytes.Buffer{})
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
