package llbgen_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/llbgen"
)

// lawFiles are build files that together use every feature.
func lawFiles() map[string]string {
	return map[string]string{
		"the published pipeline": buildFile,
		"nothing but the plugin": buildFile + "docker: false\ngoTemplate: false\n",
		"docker from an archive": buildFile + "docker: {archive: 'https://files.example.com/docker-{{.Arch}}.tgz'}\n",
		"docker from an image":   buildFile + "docker: {image: registry.example.com/docker}\n",
		"through mirrors":        buildFile + "mirrors: {public.ecr.aws: localhost:5000, docker.io: localhost:5000/hub}\n",
	}
}

// TestLaws checks that every image obeys the laws of the graph, which make it cheap to build and
// the same each time.
func TestLaws(t *testing.T) {
	t.Parallel()
	laws := map[string]func(t *testing.T, graph []vertex){
		"there is one merge, it comes last, and it begins with the base": oneMergeOfTheBase,
		"nothing is executed":                            nothingIsExecuted,
		"the base is an input of the merge and no other": baseIsOnlyMerged,
		"every layer stands on scratch":                  layersStandOnScratch,
		"every file has the fixed time and is root's":    filesAreFixed,
		"every file lies below a real directory":         filesLieBelowRealDirectories,
		"the merge ignores the cache and nothing else":   onlyTheMergeIgnoresTheCache,
		"every step but the images has a name":           stepsHaveNames,
	}
	for name, file := range lawFiles() {
		for _, platform := range []string{"linux/amd64", "linux/arm64"} {
			plan := load(t, file, nil)
			opt := fakeOptions(plan, platform)
			graph := decode(t, build(t, plan, opt).State, opt.Platform)
			for law, holds := range laws {
				t.Run(name+"/"+platform+"/"+law, func(t *testing.T) {
					t.Parallel()
					holds(t, graph)
					if t.Failed() {
						t.Log("the graph:\n" + graphText(graph))
					}
				})
			}
		}
	}
}

func oneMergeOfTheBase(t *testing.T, graph []vertex) {
	for i, v := range graph {
		if last := i == len(graph)-1; (v.op.GetMerge() != nil) != last {
			t.Errorf("%d is a %s; the last operation, and no other, is a merge", i+1, kind(v.op))
		}
	}
	merge := graph[len(graph)-1]
	if base := graph[merge.inputs[0]]; !isBase(base) {
		t.Errorf("the merge begins with a %s %s, not with the base image", kind(base.op), base.op.GetSource().GetIdentifier())
	}
}

func nothingIsExecuted(t *testing.T, graph []vertex) {
	for i, v := range graph {
		if v.op.GetExec() != nil {
			t.Errorf("%d is executed", i+1)
		}
	}
}

func baseIsOnlyMerged(t *testing.T, graph []vertex) {
	bases := 0
	for i, v := range graph {
		if isBase(v) {
			bases++
		}
		for _, input := range v.inputs {
			if isBase(graph[input]) && v.op.GetMerge() == nil {
				t.Errorf("%d, a %s, uses the base image", i+1, kind(v.op))
			}
		}
	}
	if bases != 1 {
		t.Errorf("the base image is there %d times", bases)
	}
}

func layersStandOnScratch(t *testing.T, graph []vertex) {
	for _, layer := range layersOf(graph) {
		actions := graph[layer].op.GetFile().GetActions()
		if len(actions) == 0 || actions[0].Input != -1 {
			t.Errorf("%d, an input of the merge, does not begin with scratch", layer+1)
		}
		for _, a := range actions[min(1, len(actions)):] {
			if int(a.Input) < len(graph[layer].inputs) {
				t.Errorf("%d, an input of the merge, goes on with something else", layer+1)
			}
		}
	}
}

func filesAreFixed(t *testing.T, graph []vertex) {
	epoch := llbgen.DefaultEpoch().UnixNano()
	for i, v := range graph {
		for _, a := range v.op.GetFile().GetActions() {
			var owner *pb.ChownOpt
			var timestamp int64
			switch f := a.Action.(type) {
			case *pb.FileAction_Mkdir:
				owner, timestamp = f.Mkdir.Owner, f.Mkdir.Timestamp
			case *pb.FileAction_Copy:
				owner, timestamp = f.Copy.Owner, f.Copy.Timestamp
			default:
				t.Errorf("%d does something unknown: %v", i+1, a)
			}
			if timestamp != epoch {
				t.Errorf("%d makes files of another time: %v", i+1, a)
			}
			if !isRoot(owner.GetUser()) || !isRoot(owner.GetGroup()) {
				t.Errorf("%d makes files without an owner, or of another one: %v", i+1, a)
			}
		}
	}
}

// isRoot reports whether an owner is set and is 0. An owner that is not set reads as 0 too.
func isRoot(user *pb.UserOpt) bool {
	id, ok := user.GetUser().(*pb.UserOpt_ByID)
	return ok && id.ByID == 0
}

func filesLieBelowRealDirectories(t *testing.T, graph []vertex) {
	for _, layer := range layersOf(graph) {
		paths := pathsOf(graph, layer)
		if len(paths) == 0 {
			t.Errorf("%d, a layer, has no files", layer+1)
		}
		for _, path := range paths {
			if !strings.HasPrefix(path+"/", "/opt/") && !strings.HasPrefix(path, "/usr/local/bin/") {
				t.Errorf("%d writes %s", layer+1, path)
			}
		}
	}
}

// pathsOf lists the paths that an operation writes, including those in copied trees.
func pathsOf(graph []vertex, i int) []string {
	var paths []string
	for _, a := range graph[i].op.GetFile().GetActions() {
		switch f := a.Action.(type) {
		case *pb.FileAction_Mkdir:
			paths = append(paths, f.Mkdir.Path)
		case *pb.FileAction_Copy:
			from := graph[i].inputs[a.SecondaryInput]
			if f.Copy.Src == "/" && f.Copy.Dest == "/" && graph[from].op.GetFile() != nil {
				paths = append(paths, pathsOf(graph, from)...)
			} else {
				paths = append(paths, f.Copy.Dest)
			}
		}
	}
	return paths
}

func onlyTheMergeIgnoresTheCache(t *testing.T, graph []vertex) {
	for i, v := range graph {
		if v.ignoreCache != (v.op.GetMerge() != nil) {
			t.Errorf("%d, a %s: ignore-cache is %v", i+1, kind(v.op), v.ignoreCache)
		}
	}
}

func stepsHaveNames(t *testing.T, graph []vertex) {
	for i, v := range graph {
		if v.name == "" && !strings.HasPrefix(v.op.GetSource().GetIdentifier(), "docker-image://") {
			t.Errorf("%d, a %s, has no name", i+1, kind(v.op))
		}
	}
}

// layersOf are the inputs of the merge without the base.
func layersOf(graph []vertex) []int { return graph[len(graph)-1].inputs[1:] }

func isBase(v vertex) bool {
	return strings.Contains(v.op.GetSource().GetIdentifier(), "/sam/build-")
}

func TestSameInputSameGraph(t *testing.T) {
	t.Parallel()
	marshal := func(file string) *llb.Definition {
		plan := load(t, file, map[string]string{"VERSION": "1.1.3"})
		opt := fakeOptions(plan, "linux/amd64")
		def, err := build(t, plan, opt).State.Marshal(t.Context(), llb.Platform(opt.Platform))
		if err != nil {
			t.Fatal(err)
		}
		return def
	}
	for name, file := range lawFiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := marshal(file)
			for range 10 { // layers are made side by side, in any order
				again := marshal(file)
				if !slices.EqualFunc(again.Def, first.Def, bytes.Equal) || !reflect.DeepEqual(again.Metadata, first.Metadata) {
					t.Fatal("the graph is another one the second time")
				}
			}
		})
	}
}
