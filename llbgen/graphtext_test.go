package llbgen_test

// A graph as text: one paragraph an operation, inputs before those who use them, each operation
// called by its ordinal.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// vertex is one operation of a graph.
type vertex struct {
	op          *pb.Op
	inputs      []int // indexes of vertices
	name        string
	ignoreCache bool
}

// decode returns the operations of a state in topological order; the last one makes the state.
func decode(t *testing.T, state llb.State, platform ocispecs.Platform) []vertex {
	t.Helper()
	def, err := state.Marshal(t.Context(), llb.Platform(platform))
	if err != nil {
		t.Fatal(err)
	}
	var graph []vertex
	index := map[string]int{}
	for _, data := range def.Def[:len(def.Def)-1] { // the last one only points at the result
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		dgst := digest.FromBytes(data)
		v := vertex{op: &op, name: def.Metadata[dgst].Description["llb.customname"], ignoreCache: def.Metadata[dgst].IgnoreCache}
		for _, input := range op.Inputs {
			v.inputs = append(v.inputs, index[input.Digest])
		}
		index[dgst.String()] = len(graph)
		graph = append(graph, v)
	}
	return graph
}

func graphText(graph []vertex) string {
	var b strings.Builder
	for i, v := range graph {
		fmt.Fprintf(&b, "%d %s", i+1, kind(v.op))
		if v.name != "" {
			fmt.Fprintf(&b, " %q", v.name)
		}
		if v.ignoreCache {
			b.WriteString(" ignore-cache")
		}
		b.WriteString("\n")
		for _, line := range v.lines() {
			b.WriteString("    " + line + "\n")
		}
	}
	return b.String()
}

func kind(op *pb.Op) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", op.Op), "*pb.Op_"))
}

func (v vertex) lines() []string {
	switch op := v.op.Op.(type) {
	case *pb.Op_Source:
		lines := []string{op.Source.Identifier}
		if p := v.op.Platform; p != nil && strings.HasPrefix(op.Source.Identifier, "docker-image:") {
			lines = append(lines, "platform "+platforms.Format(ocispecs.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}))
		}
		for _, key := range slices.Sorted(maps.Keys(op.Source.Attrs)) {
			lines = append(lines, key+" "+op.Source.Attrs[key])
		}
		return lines
	case *pb.Op_File:
		var lines []string
		for i, action := range op.File.Actions {
			lines = append(lines, v.actionText(i, action))
		}
		return lines
	case *pb.Op_Exec:
		lines := []string{strings.Join(op.Exec.Meta.Args, " "), "in " + op.Exec.Meta.Cwd}
		for _, env := range op.Exec.Meta.Env {
			lines = append(lines, "env "+env)
		}
		for _, m := range op.Exec.Mounts {
			lines = append(lines, v.mountText(m))
		}
		return lines
	case *pb.Op_Merge:
		lines := []string{}
		for _, input := range op.Merge.Inputs {
			lines = append(lines, fmt.Sprintf("input %d", v.inputs[input.Input]+1))
		}
		return lines
	}
	return []string{v.op.String()}
}

func (v vertex) mountText(m *pb.Mount) string {
	text := "mount " + m.Dest
	if m.Input >= 0 {
		text += fmt.Sprintf(" from %d", v.inputs[m.Input]+1)
	}
	switch m.MountType {
	case pb.MountType_CACHE:
		text += " cache " + m.CacheOpt.ID
	case pb.MountType_SECRET:
		text += " secret " + m.SecretOpt.ID
	}
	if m.Output >= 0 {
		text += fmt.Sprintf(" output %d", m.Output)
	}
	return text
}

func (v vertex) actionText(i int, a *pb.FileAction) string {
	text := ""
	switch {
	case a.Input == -1:
		text = "on scratch: "
	case int(a.Input) < len(v.inputs):
		text = fmt.Sprintf("on %d: ", v.inputs[a.Input]+1)
	case int(a.Input) != len(v.inputs)+i-1:
		text = fmt.Sprintf("on action %d: ", a.Input)
	}
	switch f := a.Action.(type) {
	case *pb.FileAction_Mkdir:
		return text + fmt.Sprintf("mkdir %s mode %04o%s", f.Mkdir.Path, f.Mkdir.Mode, common(f.Mkdir.Owner, f.Mkdir.Timestamp))
	case *pb.FileAction_Mkfile:
		return text + fmt.Sprintf("mkfile %s mode %04o %d bytes%s", f.Mkfile.Path, f.Mkfile.Mode, len(f.Mkfile.Data), common(f.Mkfile.Owner, f.Mkfile.Timestamp))
	case *pb.FileAction_Copy:
		c := f.Copy
		text += fmt.Sprintf("copy %d:%s -> %s", v.inputs[a.SecondaryInput]+1, c.Src, c.Dest)
		if c.Mode != -1 {
			text += fmt.Sprintf(" mode %04o", c.Mode)
		}
		text += common(c.Owner, c.Timestamp)
		for i, set := range []bool{c.FollowSymlink, c.DirCopyContents, c.CreateDestPath, c.AttemptUnpackDockerCompatibility, c.AllowWildcard} {
			if set {
				text += " +" + []string{"follow", "contents", "parents", "unpack", "wildcard"}[i]
			}
		}
		for _, pattern := range c.ExcludePatterns {
			text += " -" + pattern
		}
		return text
	}
	return text + a.String()
}

func common(owner *pb.ChownOpt, timestamp int64) string {
	text := ""
	if owner != nil {
		text = fmt.Sprintf(" owner %d:%d", owner.GetUser().GetByID(), owner.GetGroup().GetByID())
	}
	if timestamp == -1 {
		return text + " time of the copy"
	}
	return text + " time " + time.Unix(0, timestamp).UTC().Format(time.RFC3339)
}
