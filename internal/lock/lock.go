package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// ErrOutdated says that something is not what the lock file has any more.
var ErrOutdated = errors.New("something moved")

// maxLookups bounds the questions that registries are asked at a time.
const maxLookups = 16

// LockOptions say what [Lock] does with entries that there are already.
type LockOptions struct {
	// Update moves entries to what their source is today: those whose name contains
	// one of Names, or all without names.
	Update bool
	Names  []string
}

// Lock writes the lock file beside the build file, and tells on opt.Stdout what
// changed in it. What is locked stays as it is, unless it is to be updated.
// Mistakes in the input are an [*InputError].
func Lock(ctx context.Context, opt Options, how LockOptions) error {
	l, err := newLocking(ctx, opt)
	if err != nil {
		return inputError(err)
	}
	fresh, err := l.fresh(ctx)
	if err != nil {
		return err
	}
	if err := l.checkNames(how, fresh); err != nil {
		return inputError(err)
	}
	after := l.merge(fresh, how)
	changes := l.before.Diff(after)
	if len(changes) == 0 && l.before != nil {
		return nil
	}
	if err := writeAtomically(l.path, after.Marshal()); err != nil {
		return err
	}
	return printChanges(opt.Stdout, changes)
}

// Outdated tells on opt.Stdout what moved since the build file was locked. It
// returns [ErrOutdated] where something did. A missing lock file, and a source
// that cannot be asked, is an [*InputError].
func Outdated(ctx context.Context, opt Options) error {
	l, err := newLocking(ctx, opt)
	if err == nil && l.before == nil {
		err = fmt.Errorf("there is no %s: make it with samforge lock", l.path)
	}
	if err != nil {
		return inputError(err)
	}
	fresh, err := l.fresh(ctx)
	if err != nil {
		return inputError(err)
	}
	changes := l.before.Diff(fresh)
	if len(changes) == 0 {
		return nil
	}
	return errors.Join(printChanges(opt.Stdout, changes), ErrOutdated)
}

// locking is one run of Lock or Outdated.
type locking struct {
	*lookup
	opt    Options
	path   string
	before *llbgen.Lockfile // nil where there is none
}

func newLocking(ctx context.Context, opt Options) (*locking, error) {
	from, err := readContext(opt)
	if err != nil {
		return nil, err
	}
	file, err := readFile(opt)
	if err != nil {
		return nil, fmt.Errorf("read the build file: %w", err)
	}
	l := &locking{opt: opt, path: lockPath(opt, file)}
	if l.path == "" || file.data == nil {
		return nil, errors.New("a lock file lies beside a build file: name that with --file")
	}
	if l.before, _, err = readLockfile(opt, file); err != nil {
		return nil, err
	}
	plan, err := llbgen.Load(file.name, file.data, withMirrors(opt), llbgen.Today(time.Now()))
	if err != nil {
		return nil, err
	}
	l.lookup = &lookup{plan: plan, context: from, registry: registry.NewResolver(ctx)}
	return l, nil
}

// combination is a target on a platform, built on a builder of a platform.
type combination struct {
	target            llbgen.Target
	platform, builder ocispecs.Platform
	optional          bool // nobody asked for it
}

func (l *locking) combinations() ([]combination, error) {
	asked, err := parsePlatforms(l.opt.Platforms)
	if err != nil {
		return nil, err
	}
	all := []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	wanted := asked
	if len(asked) == 0 {
		wanted = all
	}
	var found []combination
	for _, target := range l.plan.Targets {
		own, err := l.plan.Platforms(target, nil, all[0]) // what a build takes by default
		if err != nil {
			return nil, err
		}
		for _, platform := range wanted {
			optional := len(asked) == 0 && platform.Architecture != own[0].Architecture
			if _, err := l.plan.Platforms(target, []ocispecs.Platform{platform}, platform); err != nil {
				if optional {
					continue
				}
				return nil, err
			}
			for _, builder := range all {
				found = append(found, combination{target, platform, builder, optional || builder.Architecture != all[0].Architecture})
			}
		}
	}
	return found, nil
}

// fresh is the lock of today: every image for every platform that it is there for,
// whichever the builder.
func (l *locking) fresh(ctx context.Context) (*llbgen.Lockfile, error) {
	combinations, err := l.combinations()
	if err != nil {
		return nil, inputError(err)
	}
	fresh := llbgen.NewLockfile(filepath.Base(l.path))
	var mu sync.Mutex
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxLookups)
	for _, c := range combinations {
		eg.Go(func() error {
			options := l.options(c.platform, c.builder)
			options.Checksum = l.download
			image, err := l.plan.Build(ctx, c.target, options)
			if err != nil && c.optional && registry.Absent(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.target.Name, err)
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

func (how LockOptions) updates(name string) bool {
	return how.Update && (len(how.Names) == 0 || slices.ContainsFunc(how.Names, func(part string) bool { return strings.Contains(name, part) }))
}

// checkNames refuses names that no entry has.
func (l *locking) checkNames(how LockOptions, fresh *llbgen.Lockfile) error {
	for _, part := range how.Names {
		one := LockOptions{Update: true, Names: []string{part}}
		if !slices.ContainsFunc((*llbgen.Lockfile)(nil).Diff(fresh), func(c llbgen.Change) bool { return one.updates(c.Name) }) {
			return fmt.Errorf("--update %s: %s would have nothing of that name", part, filepath.Base(l.path))
		}
	}
	return nil
}

// merge keeps what is locked and not to be updated. An image is kept for all of its
// platforms or for none.
func (l *locking) merge(fresh *llbgen.Lockfile, how LockOptions) *llbgen.Lockfile {
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

func printChanges(w io.Writer, changes []llbgen.Change) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		switch {
		case c.Before == "":
			fmt.Fprintf(table, "added\t%s\t%s\n", c.Name, c.After)
		case c.After == "":
			fmt.Fprintf(table, "removed\t%s\t%s\n", c.Name, c.Before)
		default:
			fmt.Fprintf(table, "moved\t%s\t%s -> %s\n", c.Name, c.Before, c.After)
		}
	}
	return table.Flush()
}

// writeAtomically writes a file so that it is there whole or not at all.
func writeAtomically(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
