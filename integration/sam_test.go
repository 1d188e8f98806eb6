package integration

import (
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

func TestSeedExample(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	lines := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/aws-sam-plugin"), "--push").ok(t)
	t.Log(lines)
	for _, p := range b.Registry.Pulls() {
		t.Log(p)
	}
	t.Logf("%+v", b.Registry.Stats())
	in, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	t.Logf("%+v", in.Config)
	for _, h := range in.History {
		t.Log(h)
	}
	for p, f := range in.Files {
		if f.Layer >= 4 {
			t.Logf("%s %+v", p, f)
		}
	}
}
