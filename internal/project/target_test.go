package project

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

const matrix = `kind: sam
plugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}
repo: registry.example.com/ci/sam
runtimes:
  - image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138
  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415
  - image: public.ecr.aws/sam/build-java21:1.143.0-20250822194412-x86_64
`

var amd64 = ocispecs.Platform{OS: "linux", Architecture: "amd64"}

func loadPlan(t *testing.T) *llbgen.Plan {
	t.Helper()
	plan, err := llbgen.Load("samforge.yaml", []byte(matrix), nil)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// loadMatrix reads the matrix with options.
func loadMatrix(opt Options) (*Project, error) {
	opt.File, opt.Stdin = "-", strings.NewReader(matrix)
	return Load(context.Background(), opt)
}

func TestTargetsAreBuiltInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	plan := loadPlan(t)
	for name, c := range map[string]struct{ ask, want []string }{
		"no names mean all targets": {nil, []string{"nodejs22.x", "python3.12", "java21"}},
		"two, in another order":     {[]string{"java21", "nodejs22.x"}, []string{"nodejs22.x", "java21"}},
		"one, twice":                {[]string{"java21", "java21"}, []string{"java21"}},
	} {
		targets, err := selectTargets(plan, c.ask)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, target := range targets {
			got = append(got, target.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if len(plan.Targets) != 3 {
		t.Error("selecting targets changed the plan")
	}
}

func TestMistakesInPlatformsAndTags(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]Options{
		`--platform "linux/amd46" is not a platform: did you mean linux/amd64? (images are built for linux/amd64 and linux/arm64)`: {Platforms: []string{"linux/amd46"}},
		`--platform "foo" is not a platform (images`:                                   {Platforms: []string{"linux/amd64,foo"}},
		`--tag http://x/y:z is not an image reference: leave http:// out, as in x/y:z`: {Tags: []string{"http://x/y:z"}},
	} {
		if _, err := loadMatrix(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	const node = "registry.example.com/ci/sam:1.1.2-nodejs22.x-1.144.0"
	for name, c := range map[string]struct {
		opt     Options
		refs    []string
		members map[string]string
	}{
		"one platform has its architecture in the tag": {Options{}, []string{node + "-linux-amd64"}, nil},
		"several platforms are an index and its members": {
			Options{Platforms: []string{"linux/amd64,linux/arm64"}}, []string{node},
			map[string]string{"amd64": node + "-linux-amd64", "arm64": node + "-linux-arm64"},
		},
		"a platform that is given twice counts once": {Options{Platforms: []string{"linux/arm64", "linux/arm64/v8"}}, []string{node + "-linux-arm64"}, nil},
		"--tag replaces the generated references":    {Options{Tags: []string{"a:1", "a:2"}}, []string{"a:1", "a:2"}, nil},
		"a template without .Arch names no members": {
			Options{Platforms: []string{"linux/amd64", "linux/arm64"}, TagTemplate: "{{.Runtime}}"},
			[]string{"registry.example.com/ci/sam:nodejs22.x"}, map[string]string{},
		},
	} {
		c.opt.Targets = []string{"nodejs22.x"}
		p, err := loadMatrix(c.opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := p.Targets(amd64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got[0].Refs, c.refs) || !maps.Equal(got[0].Members, c.members) {
			t.Errorf("%s: %q and %v, want %q and %v", name, got[0].Refs, got[0].Members, c.refs, c.members)
		}
	}
}

func TestReferencesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"--tag in upper case":               {Options{Targets: []string{"java21"}, Tags: []string{"registry.example.com/CI/x:1"}}, "--tag registry.example.com/CI/x:1 is not an image reference"},
		"--tag with a digest":               {Options{Targets: []string{"java21"}, Tags: []string{"a@sha256:" + strings.Repeat("0", 64)}}, "has a digest: leave it out"},
		"--tag for several targets":         {Options{Tags: []string{"a:1"}}, "--tag names one image, and 3 targets are selected"},
		"two targets with one tag":          {Options{TagTemplate: "{{.Version}}"}, "nodejs22.x and python3.12 give the same tag"},
		"a platform the base excludes":      {Options{Platforms: []string{"linux/arm64"}}, "linux/amd64 only"},
		"not a platform":                    {Options{Platforms: []string{"linux/amd64/v1/x"}}, "--platform"},
		"an operating system without bases": {Options{Platforms: []string{"windows/amd64"}}, "windows"},
		"not a time":                        {Options{BuildArgs: map[string]string{"SOURCE_DATE_EPOCH": "now"}}, "SOURCE_DATE_EPOCH"},
	} {
		_, err := loadMatrix(c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, c.want)
		}
	}
}
