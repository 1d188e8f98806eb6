package builder

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestFindPoolWarnsOfABuilderThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	living := serveFake(t, listen(t, "unix", dir+"/living.sock"), 1)
	dead := "unix://" + dir + "/dead.sock"
	var told []string
	p, err := FindPool(t.Context(), []string{dead, living}, Options{Log: func(s string) { told = append(told, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if found := p.Builders(); len(found) != 1 || found[0].Address != living {
		t.Errorf("found %v, want the one at %s", found, living)
	}
	want := "WARNING: cannot reach the builder " + dead + "; others build its images: dial unix"
	if len(told) != 1 || !strings.HasPrefix(told[0], want) {
		t.Errorf("logged %q, want %q", told, want)
	}
}

func TestFindPoolListsAllThatAreNotThere(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	idle := serveFake(t, listen(t, "unix", dir+"/idle.sock"), 0)
	_, err := FindPool(t.Context(), []string{"unix://" + dir + "/dead.sock", idle}, Options{})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) {
		t.Fatalf("got %v", err)
	}
	want := `none of the builders can be reached:
  unix://DIR/dead.sock: dial unix DIR/dead.sock: connect: no such file or directory
  unix://DIR/idle.sock: it answers but has no worker to build with
start one of them, or name others with --builder`
	if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFindPoolOfOneOrNoneIsFind(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	address := serveFake(t, listen(t, "unix", dir+"/buildkitd.sock"), 1)
	for name, tc := range map[string]struct {
		addresses []string
		host      string
	}{
		"one":                   {[]string{address}, "unix:///none"},
		"none means discovery":  {nil, address},
		"an empty one does too": {[]string{""}, address},
	} {
		p, err := FindPool(t.Context(), tc.addresses, Options{Env: environment(map[string]string{"BUILDKIT_HOST": tc.host})})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer p.Close()
		if found := p.Builders(); len(found) != 1 || found[0].Address != address {
			t.Errorf("%s: found %v, want the one at %s", name, found, address)
		}
	}
}

func TestFindPoolStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FindPool(ctx, []string{"unix:///none", "unix:///other"}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

// Run solves all jobs on b alone, see [Pool.Run].
func (b *Builder) Run(ctx context.Context, so SessionOptions, jobs []Job, d *Display) []Result {
	return poolOf(b).Run(ctx, so, jobs, d)
}
