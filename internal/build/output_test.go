package build

import (
	"errors"
	"slices"
	"testing"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/project"
)

func TestDestinations(t *testing.T) {
	t.Parallel()
	target := project.Target{Refs: []string{"example.com/b:2", "example.com/b:1"}}
	for _, c := range []struct {
		push    bool
		outputs []string
		want    []string
	}{
		{false, nil, target.Refs},
		{true, nil, target.Refs},
		{false, []string{"type=oci,dest=x.tar"}, target.Refs},
		{false, []string{"type=registry"}, target.Refs},
		{false, []string{"type=image,name=example.com/c:1"}, target.Refs},
		{false, []string{`type=image,"name=example.com/c:1,example.com/d:1",push=true`}, []string{"example.com/c:1", "example.com/d:1"}},
		{true, []string{"type=registry,name=example.com/a:1"}, []string{"example.com/b:2", "example.com/b:1", "example.com/a:1"}},
	} {
		opt := Options{Push: c.push, Outputs: c.outputs}
		if got := opt.destinations(target); !slices.Equal(got, c.want) {
			t.Errorf("push %t, outputs %q: %q, want %q", c.push, c.outputs, got, c.want)
		}
	}
}

// What this machine says of a file is no answer of a registry.
func TestErrorsOfThisMachine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"failed to copy to tar: open x.tar: permission denied", "mkdir cc: permission denied"} {
		err := errors.New(text)
		if got := explain(err, project.Target{Refs: []string{"example.com/a:1"}}, builder.Result{Builder: &builder.Builder{}}); got != err {
			t.Errorf("%s is explained as %v", text, got)
		}
	}
}
