package llbgen_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/llbgen"
)

// Each check runs on its own in the whole image, without a network. What it leaves behind is not in
// the image.
func TestChecks(t *testing.T) {
	t.Parallel()
	full := map[string]string{"SAMFORGE_VERIFY": "full"}
	for name, c := range map[string]struct {
		file string
		want []string // name@field program
	}{
		"sam": {buildFile, []string{
			"python@runtimes[0].image", "sam@runtimes[0].image", "go-template@goTemplate /opt/harness/client-tools/go-template", "docker@docker.version /usr/local/bin/docker",
		}},
		"merged": {serverlessFile("python3.12", "nodejs20.x", ""), []string{
			"python@runtimes[0].image", "sam@runtimes[0].image", "node@runtimes[0].node /var/lang/bin/node /var/lang/lib:/opt/lib",
			"go-template@goTemplate /opt/harness/client-tools/go-template", "docker@docker.version /usr/local/bin/docker", "serverless@serverless",
		}},
		"isolated": {serverlessFile("java21", "nodejs22.x", "node: {layout: isolated}\ngoTemplate: false\ndocker: false\n"), []string{
			"python@runtimes[0].image", "sam@runtimes[0].image", "node@runtimes[0].node /opt/harness/node/bin/node /opt/harness/node/lib:/var/lang/lib:/opt/lib", "serverless@serverless",
		}},
		"on node itself": {serverlessFile("nodejs20.x", "nodejs20.x", "goTemplate: false\ndocker: false\n"), []string{
			"python@runtimes[0].image", "sam@runtimes[0].image", "node@runtimes[0].node /var/lang/bin/node /var/lang/lib:/opt/lib", "serverless@serverless",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, c.file, full)
			opt := fakeOptions(plan, "linux/amd64")
			withBase(func(image *llbgen.SourceImage) {
				image.Config.Config.Env = []string{"PATH=/usr/bin", "LD_LIBRARY_PATH=/var/lang/lib:/opt/lib"}
			})(&opt)
			image := build(t, plan, opt)
			var got []string
			for _, check := range image.Checks {
				line := check.Name + "@" + check.Field
				if check.Program != "" {
					line += " " + check.Program
				}
				if check.Name == "node" {
					line += " " + strings.Join(check.LibraryPath, ":")
				}
				got = append(got, line)
				graph := decode(t, check.State, opt.Platform)
				run := graph[len(graph)-1]
				if exec := run.op.GetExec(); exec == nil || exec.Network != pb.NetMode_NONE || !slices.ContainsFunc(exec.Meta.Env, isPath) {
					t.Errorf("the check of %s is %v", check.Name, run.op)
				}
				if root := graph[run.inputs[0]]; root.op.GetMerge() == nil || root.ignoreCache {
					t.Errorf("the check of %s does not run on a merge that may come from the cache", check.Name)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the checks are\n%q, want\n%q", got, c.want)
			}
			graph := decode(t, image.State, opt.Platform)
			if slices.ContainsFunc(graph, func(v vertex) bool { return strings.HasPrefix(v.name, "check ") }) {
				t.Error("a check is a part of the image")
			}
			if checks := build(t, load(t, c.file, nil), opt).Checks; len(checks) > 0 {
				t.Errorf("there are %d checks without being asked for", len(checks))
			}
		})
	}
}

func isPath(variable string) bool {
	return strings.HasPrefix(variable, "PATH=") && strings.HasSuffix(variable, "/usr/bin")
}
