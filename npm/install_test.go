package npm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/npm"
)

// operations returns the operations of a state.
func operations(t *testing.T, state llb.State) []*pb.Op {
	t.Helper()
	def, err := state.Marshal(t.Context(), llb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	var ops []*pb.Op
	for _, data := range def.Def {
		op := &pb.Op{}
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

// written returns the files that the operations write, by path.
func written(ops []*pb.Op) map[string]string {
	files := map[string]string{}
	for _, op := range ops {
		for _, action := range op.GetFile().GetActions() {
			if file := action.GetMkfile(); file != nil {
				files[file.Path] = string(file.Data)
			}
		}
	}
	return files
}

// Any package can be installed from the lock that samforge carries for it.
func TestInstall(t *testing.T) {
	t.Parallel()
	lock, ok := npm.Embedded("aws-cdk", "2.1148.1")
	if !ok {
		t.Fatal("there is no lock")
	}
	cdk := npm.Install{Lock: lock, Prefix: "/opt/cdk", Program: "bin/cdk", Commands: []string{"cdk"}, Registry: npm.Registry}
	step := npm.Step{
		Node: llb.Image("docker.io/library/node"), Env: []string{"PATH=/var/lang/bin"}, Arch: "arm64", Epoch: time.Unix(1, 0),
		Name: func(format string, args ...any) []llb.ConstraintsOpt {
			return []llb.ConstraintsOpt{llb.WithCustomNamef(format, args...)}
		},
	}
	installed := cdk.Layer(step)
	ops := operations(t, installed)
	files := written(ops)
	if want := "#!/bin/sh\nexec node /opt/cdk/node_modules/aws-cdk/bin/cdk \"$@\"\n"; files["/bin/cdk"] != want {
		t.Errorf("the command is %q, want %q", files["/bin/cdk"], want)
	}
	if files["/package-lock.json"] != string(lock.Data) || !strings.Contains(files["/package.json"], `"aws-cdk": "2.1148.1"`) {
		t.Errorf("the lock or package.json is another one: %s", files["/package.json"])
	}
	for _, script := range []string{"install.cjs", "explain.cjs", "lock.cjs", "npmrc.cjs", "progress.cjs", "run.cjs", "tidy.cjs"} {
		if files["/"+script] == "" {
			t.Errorf("%s is missing or empty", script)
		}
	}
	exec := ops[slices.IndexFunc(ops, func(op *pb.Op) bool { return op.GetExec() != nil })].GetExec()
	if args := strings.Join(exec.Meta.Args, " "); !strings.HasPrefix(args, "/var/lang/bin/node install.cjs --prune /samforge/layer /opt/cdk 1 ci ") || strings.Contains(args, "--cpu") {
		t.Errorf("the step runs %s", args)
	}
	var secrets []string
	for _, m := range exec.Mounts {
		if m.SecretOpt != nil {
			secrets = append(secrets, m.SecretOpt.ID)
		}
	}
	for _, s := range exec.Secretenv {
		secrets = append(secrets, s.ID)
	}
	if !slices.Equal(secrets, npm.Secrets()) {
		t.Errorf("the step takes the secrets %q, want %q", secrets, npm.Secrets())
	}
	checked := operations(t, cdk.Check(step, installed, "22"))
	if check := written(checked)["/check.cjs"]; check == "" || len(checked) != len(ops)+2 {
		t.Errorf("the check is %q, %d operations after %d", check, len(checked), len(ops))
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ log, want string }{
		"a sentence":            {"npm error code E401\nsamforge: the registry wants credentials\n", "the registry wants credentials"},
		"several":               {"samforge: a is wrong\nsamforge: b is wrong\n", "a is wrong; b is wrong"},
		"none":                  {"cp: cannot stat '/x'\n", ""},
		"within a line is none": {"see samforge: build\n", ""},
	} {
		if got := npm.Explain(c.log); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
