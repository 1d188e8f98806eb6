// Package lock pins the images and files of a build file in its lock file, and reports what has
// changed since.
package lock

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/moby/sys/atomicwriter"
	digest "github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// maxLookups is how many requests to registries run at the same time.
const maxLookups = 16

// Options say what [Lock] does with existing entries.
type Options struct {
	// Update moves entries to the current state of their source: those whose name contains one of
	// Names, or all if Names is empty.
	Update bool
	Names  []string
}

// Lock writes the lock file beside the build file, and returns the changes. Existing entries stay as
// they are, unless they are to be updated. Mistakes in the input are a [*project.InputError].
func Lock(ctx context.Context, opt project.Options, how Options, client *registry.Client) (*Report, error) {
	l, err := newLocking(ctx, opt, client)
	if err != nil {
		return nil, project.BadInput(err)
	}
	fresh, err := l.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.checkNames(how, fresh); err != nil {
		return nil, project.BadInput(err)
	}
	after := l.merge(fresh, how)
	report := l.report(after)
	if report.UpToDate && l.before != nil {
		return report, nil
	}
	return report, atomicwriter.WriteFile(l.path, after.Marshal(), 0o644)
}

// Outdated returns what has changed since the build file was locked. A missing lock file, or a source
// that cannot be reached, is a [*project.InputError].
func Outdated(ctx context.Context, opt project.Options, client *registry.Client) (*Report, error) {
	l, err := newLocking(ctx, opt, client)
	if err == nil && l.before == nil {
		err = fmt.Errorf("there is no %s: make it with samforge lock", l.path)
	}
	if err != nil {
		return nil, project.BadInput(err)
	}
	fresh, err := l.fresh(ctx)
	if err != nil {
		return nil, project.BadInput(err)
	}
	return l.report(fresh), nil
}

// locking is one run of Lock or Outdated.
type locking struct {
	path   string
	before *llbgen.Lockfile // nil if there is no lock file
	every  []project.Combination
	images *project.Lookup
}

func newLocking(ctx context.Context, opt project.Options, client *registry.Client) (*locking, error) {
	p, before, err := project.LoadUnlocked(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := p.CheckDockerfiles(); err != nil {
		return nil, err
	}
	l := &locking{path: p.File.LockPath, before: before, images: p.NewLookup(registry.NewResolver(ctx, client))}
	l.images.Downloads = client.Streams()
	l.every, err = p.Combinations()
	return l, err
}

// fresh returns a lock of the current state: every image for every platform that it exists for,
// whatever the builder.
func (l *locking) fresh(ctx context.Context) (*llbgen.Lockfile, error) {
	fresh := llbgen.NewLockfile(filepath.Base(l.path))
	var mu sync.Mutex
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxLookups)
	for _, c := range l.every {
		eg.Go(func() error {
			image, err := c.Target.Describe(ctx, c.Platform, c.Builder, l.images)
			if err != nil && c.Optional && registry.Absent(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.Target.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, in := range image.Inputs {
				fresh.Add(in)
			}
			return nil
		})
	}
	return fresh, eg.Wait()
}

func (how Options) updates(name string) bool {
	return how.Update && (len(how.Names) == 0 || slices.ContainsFunc(how.Names, func(part string) bool { return strings.Contains(name, part) }))
}

// checkNames refuses names that match no entry.
func (l *locking) checkNames(how Options, fresh *llbgen.Lockfile) error {
	for _, part := range how.Names {
		one := Options{Update: true, Names: []string{part}}
		if !slices.ContainsFunc((*llbgen.Lockfile)(nil).Diff(fresh), func(c llbgen.Change) bool { return one.updates(c.Name) }) {
			return fmt.Errorf("--update %s: %s would have no entry with that name", part, filepath.Base(l.path))
		}
	}
	return nil
}

// merge keeps the locked entries that are not to be updated. It keeps an image for all of its
// platforms or for none.
func (l *locking) merge(fresh *llbgen.Lockfile, how Options) *llbgen.Lockfile {
	if l.before == nil {
		return fresh
	}
	for ref, now := range fresh.Images {
		if old, ok := l.before.Images[ref]; ok && !how.updates(ref) && len(old) == len(now) {
			fresh.Images[ref] = old
		}
	}
	for _, of := range []struct{ now, old map[string]digest.Digest }{{fresh.Downloads, l.before.Downloads}, {fresh.Packages, l.before.Packages}} {
		for name := range of.now {
			if old, ok := of.old[name]; ok && !how.updates(name) {
				of.now[name] = old
			}
		}
	}
	return fresh
}
