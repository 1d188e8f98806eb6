package build

import (
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/builder"
)

func TestOutputsThatSeveralBuildersCannotHave(t *testing.T) {
	t.Parallel()
	two := []string{"tcp://a:1234", "tcp://b:1234"}
	for name, c := range map[string]struct {
		opt  Options
		want string // "" when it is right
	}{
		"one builder writes a file":            {Options{Builders: two[:1], Outputs: []string{"type=oci,dest=image.tar"}}, ""},
		"several push":                         {Options{Builders: two, Push: true, Outputs: []string{"type=registry"}}, ""},
		"several load":                         {Options{Builders: two, Load: true}, ""},
		"several write folders":                {Options{Builders: two, Outputs: []string{"out", "type=local,dest=out", "type=oci,tar=false,dest=out"}}, ""},
		"several write an archive":             {Options{Builders: two, Outputs: []string{"type=oci,dest=image.tar"}}, "--output type=oci,dest=image.tar: one file"},
		"several write a tar":                  {Options{Builders: two, Outputs: []string{"type=tar,dest=image.tar"}}, "one file"},
		"several write a docker archive":       {Options{Builders: two, Outputs: []string{"dest=image.tar,type=docker"}}, "one file"},
		"several write to one standard output": {Options{Builders: two, Outputs: []string{"-"}}, "--output -: one file"},
		"a builder twice":                      {Options{Builders: []string{two[0], two[0]}}, "--builder: tcp://a:1234 is given twice"},
	} {
		err := checkBuilders(c.opt)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
}

func TestBuildersThatDifferDoNotDecideThePlatform(t *testing.T) {
	t.Parallel()
	of := func(architectures ...string) []*builder.Builder {
		var builders []*builder.Builder
		for _, architecture := range architectures {
			worker := &bkclient.WorkerInfo{Platforms: []ocispecs.Platform{{OS: "linux", Architecture: architecture}}}
			builders = append(builders, &builder.Builder{Workers: []*bkclient.WorkerInfo{worker}})
		}
		return builders
	}
	for name, c := range map[string]struct {
		builders []*builder.Builder
		follow   bool
		want     string // "" if they cannot decide
	}{
		"one builder decides":                                 {of("arm64"), true, "arm64"},
		"builders that agree decide":                          {of("arm64", "arm64"), true, "arm64"},
		"builders that differ cannot":                         {of("arm64", "amd64"), true, ""},
		"builders that differ may if nothing depends on them": {of("arm64", "amd64"), false, "arm64"},
	} {
		got, err := builderPlatform(c.builders, c.follow)
		if (err != nil) != (c.want == "") || err == nil && got.Architecture != c.want {
			t.Errorf("%s: %s, %v, want %q", name, got.Architecture, err, c.want)
		}
	}
}
