// Package watch does something again after each change of files.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/moby/patternmatcher"
)

// Source is a file that counts, or a folder whose files do.
type Source struct {
	// Path is absolute, and without symbolic links. A file need not exist.
	Path   string
	Folder bool
	// Ignore are patterns of a .dockerignore for the files of the folder that do not count.
	Ignore []string
	// Of is what changes with the source; "" is everything.
	Of string

	ignored *patternmatcher.PatternMatcher
}

// Loop does something again after each change.
type Loop struct {
	// Find returns what is watched. It is called before each Do.
	Find func() ([]Source, error)
	// Do is told what has changed; everything at first. A change that comes meanwhile is the next
	// one.
	Do func(changed []string)
	// Report gets the errors of Find after the first time. They end nothing.
	Report func(error)
	// Except reports whether Do itself writes a file or a folder; nil is no.
	Except func(path string) bool
}

// pause is how long nothing must change before a change counts: editors and git write several
// files.
const pause = 100 * time.Millisecond

// leftOut are folders that do not count: what git and SAM CLI keep for themselves.
var leftOut = []string{".git", ".aws-sam"}

// Run returns nil when the context ends, and an error if nothing can be watched.
func (l Loop) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer watcher.Close()
	var sources []Source
	for range 2 { // what changes after Find has read it is watched the second time
		if sources, err = l.find(watcher); err != nil {
			return err
		}
	}
	for changed := []string{""}; ctx.Err() == nil; {
		l.Do(changed)
		for changed = nil; ; {
			if changed = l.wait(ctx, watcher, sources, changed); ctx.Err() != nil {
				return nil
			}
			next, err := l.find(watcher)
			if err == nil {
				sources = next
				break
			}
			l.Report(err)
		}
	}
	return nil
}

// find finds the sources, and watches their folders.
func (l Loop) find(watcher *fsnotify.Watcher) ([]Source, error) {
	sources, err := l.Find()
	for i := range sources {
		if sources[i].ignored, err = patternmatcher.New(sources[i].Ignore); err == nil {
			err = sources[i].watch(watcher)
		}
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("the system watches no more folders (sysctl fs.inotify.max_user_watches): leave out what the build does not need with .dockerignore: %w", err)
		}
		if err != nil {
			return nil, fmt.Errorf("watch %s: %w", sources[i].Path, err)
		}
	}
	return sources, err
}

// wait returns what has changed, with what had before, when nothing changes any more.
func (l Loop) wait(ctx context.Context, watcher *fsnotify.Watcher, sources []Source, changed []string) []string {
	var quiet <-chan time.Time
	for {
		var of []string
		select {
		case <-ctx.Done():
			return changed
		case <-quiet:
			return changed
		case err := <-watcher.Errors:
			if err != nil { // events were lost
				of = []string{""}
			}
		case event := <-watcher.Events:
			for _, s := range sources {
				if s.counts(event.Name) && (l.Except == nil || !l.Except(event.Name)) {
					of = append(of, s.Of)
				}
			}
		}
		for _, name := range of {
			if quiet = time.After(pause); !slices.Contains(changed, name) {
				changed = append(changed, name)
			}
		}
	}
}

// watch watches the folder that the source is in, and those whose files count.
func (s Source) watch(watcher *fsnotify.Watcher) error {
	if err := watcher.Add(filepath.Dir(s.Path)); err != nil || !s.Folder {
		return err
	}
	return filepath.WalkDir(s.Path, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err == nil && !entry.IsDir():
			return nil
		case err == nil && !s.counts(path):
			return filepath.SkipDir
		case err == nil:
			err = watcher.Add(path)
		}
		if errors.Is(err, fs.ErrNotExist) { // any more
			err = nil
		}
		return err
	})
}

// counts reports whether a file or a folder counts.
func (s Source) counts(path string) bool {
	below, ok := strings.CutPrefix(path, strings.TrimSuffix(s.Path, "/")+"/")
	if !s.Folder || !ok {
		return path == s.Path
	}
	out, at, above := false, "", patternmatcher.MatchInfo{}
	for _, part := range strings.Split(below, "/") { // as a builder walks: what is above matters
		at = filepath.Join(at, part)
		var err error
		if out, above, err = s.ignored.MatchesUsingParentResults(at, above); err != nil || slices.Contains(leftOut, part) {
			return err != nil
		}
	}
	if info, err := os.Lstat(path); out && err == nil && info.IsDir() {
		return s.ignored.Exclusions() // something in a folder that is left out may count
	}
	return !out
}
