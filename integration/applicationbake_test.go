package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// docker buildx bake builds the functions of a template from what samforge bake prints: those of nested
// stacks, with folders outside of the template's, parameters, a lock file, and the same images.
func TestBakeOfAnApplication(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	x := b.newBuildx(b.Buildkitd)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, "")
	a := &applicationBed{bed: b, dir: dir}
	must(t, os.MkdirAll(filepath.Join(dir, "app/child"), 0o755))
	a.write("app/template.yaml", strings.ReplaceAll("# syntax="+x.frontend+"\n"+packaged, "./greet", "../greet"))
	a.write("app/child/template.yaml", strings.ReplaceAll(packagedChild, "../greet", "../../greet"))
	a.write("greet/Dockerfile", "FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n")
	flags := []string{"-f", filepath.Join(dir, "app/template.yaml"), "--repo", b.repo("ci/app"), "--parameter-overrides", "Stage=prod"}
	run(t, b.env, "lock", "-f", filepath.Join(dir, "app/template.yaml"), "--parameter-overrides", "Stage=prod").ok(t)
	printed := run(t, b.env, append([]string{"bake"}, flags...)...)
	printed.ok(t)
	if r := x.dockerWith(strings.NewReader(printed.stdout), dir, "buildx", "bake", "--progress", "plain", "-f", "-", "--push", "--allow", "fs.read=*"); r.code != 0 {
		t.Fatalf("docker buildx bake exited with %d:\n%s", r.code, r.stderr)
	}
	var baked []string
	for _, tag := range regexp.MustCompile(`"(`+regexp.QuoteMeta(b.repo("ci/app"))+`:[^"]+)"`).FindAllStringSubmatch(printed.stdout, -1) {
		baked = append(baked, tag[1]+"@"+b.digestOfTag(tag[1]))
	}
	built := b.buildTemplate(append(flags, "--push", "--no-skip")...).ok(t)
	slices.Sort(baked)
	slices.Sort(built)
	if len(built) != 2 || !slices.Equal(baked, built) {
		t.Errorf("docker buildx bake gives %q, the command %q", baked, built)
	}
}
