package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// bed is a loop over a folder with two contexts.
type bed struct {
	t        *testing.T
	dir      string
	changes  chan []string
	reports  chan error
	ended    chan error
	cancel   context.CancelFunc
	expected []string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, dir: dir, changes: make(chan []string), reports: make(chan error, 100), ended: make(chan error, 1)}
	for _, folder := range []string{"one", "two/.git", "two/node_modules/a", "three"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	do := func(changed []string) {
		select {
		case b.changes <- changed:
		case <-ctx.Done():
		}
	}
	l := Loop{Find: b.find, Do: do, Report: func(err error) { b.reports <- err }, Except: func(path string) bool { return path == filepath.Join(dir, "one", "meta.json") }}
	go func() { b.ended <- l.Run(ctx) }()
	b.expect("")
	return b
}

func (b *bed) find() ([]Source, error) {
	of := func(name string, ignore ...string) Source {
		return Source{Path: filepath.Join(b.dir, name), Folder: true, Ignore: ignore, Of: name}
	}
	if _, err := os.Stat(filepath.Join(b.dir, "mistake")); err == nil {
		return nil, errors.New("a mistake")
	}
	return []Source{
		{Path: filepath.Join(b.dir, "template.yaml")}, {Path: filepath.Join(b.dir, "mistake"), Of: "mistake"},
		of("one", "*.md", "docs", "!docs/keep"), of("two", "node_modules", "*.md"), of("three"), {Path: filepath.Join(b.dir, "three", "file"), Of: "file"},
	}, nil
}

func (b *bed) write(name string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// expect waits until these names have changed. No others do, but those that were expected before: a
// slow machine may take what is written at once for several changes.
func (b *bed) expect(names ...string) {
	b.t.Helper()
	b.expected = append(b.expected, names...)
	for len(names) > 0 {
		select {
		case changed := <-b.changes:
			for _, name := range changed {
				if !slices.Contains(b.expected, name) {
					b.t.Errorf("%q has changed", name)
				}
			}
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(changed, name) })
		case err := <-b.ended:
			b.t.Fatalf("the loop has ended: %v", err)
		case <-time.After(time.Minute):
			b.t.Fatalf("%q have not changed", names)
		}
	}
}

// What counts is the next change; what does not is none, whenever it is written.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write []string
		want  []string
	}{
		"a file":                       {[]string{"one/a"}, []string{"one"}},
		"several files":                {[]string{"one/a", "two/b", "one/c"}, []string{"one", "two"}},
		"the template":                 {[]string{"template.yaml"}, []string{""}},
		"a new folder":                 {[]string{"one/new/folder/a"}, []string{"one"}},
		"an exception":                 {[]string{"one/docs/keep"}, []string{"one"}},
		"a file that is two sources":   {[]string{"three/file"}, []string{"file", "three"}},
		"what is left out":             {[]string{"one/a.md", "two/node_modules/a/b", "two/.git/index", "two/.aws-sam/build/x", "other/x", "x", "one/meta.json", "three/y"}, []string{"three"}},
		"a folder with a similar name": {[]string{"one2/a", "three/y"}, []string{"three"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			for _, name := range c.write {
				b.write(name)
			}
			b.expect(c.want...)
		})
	}
}

// New folders and folders that were there before are watched, and a mistake in what is watched ends
// nothing.
func TestLoopGoesOn(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.write("one/new/a")
	b.expect("one")
	b.write("one/new/a")
	b.expect("one")
	for _, step := range []error{os.Rename(filepath.Join(b.dir, "two"), filepath.Join(b.dir, "away")), os.Rename(filepath.Join(b.dir, "away"), filepath.Join(b.dir, "two"))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	b.expect("two")
	b.write("two/a")
	b.expect("two")
	b.write("mistake")
	if err := <-b.reports; err == nil || err.Error() != "a mistake" {
		t.Errorf("got %v", err)
	}
	b.write("one/a")
	if err := os.Remove(filepath.Join(b.dir, "mistake")); err != nil {
		t.Fatal(err)
	}
	b.expect("mistake", "one")
	b.cancel()
	if err := <-b.ended; err != nil {
		t.Errorf("the end is %v", err)
	}
}

// Nothing to watch is an error at once.
func TestNothingToWatch(t *testing.T) {
	t.Parallel()
	for _, find := range []func() ([]Source, error){
		func() ([]Source, error) { return nil, errors.New("a mistake") },
		func() ([]Source, error) { return []Source{{Path: "/nowhere/at/all"}}, nil },
		func() ([]Source, error) {
			return []Source{{Path: t.TempDir(), Folder: true, Ignore: []string{"["}}}, nil
		},
	} {
		if err := (Loop{Find: find}).Run(t.Context()); err == nil {
			t.Error("it is watched")
		}
	}
}
