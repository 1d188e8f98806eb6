package build

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/project"
)

// maxLookups limits the requests to registries at a time.
const maxLookups = 8

// unchanged asks the registries, without a builder, for the images whose tags say what they are made
// from, and returns the digests of those that exist by reference.
func (r *request) unchanged(ctx context.Context, targets []project.Target) map[string]string {
	found := map[string]string{}
	if !r.opt.Push || r.opt.NoSkip || r.opt.NoCache || len(r.opt.NoCacheFilter) > 0 || len(r.opt.Outputs) > 0 || r.opt.Load {
		return found
	}
	var mu sync.Mutex
	var eg errgroup.Group
	eg.SetLimit(maxLookups)
	for _, t := range targets {
		if t.Inputs == nil {
			continue
		}
		if len(t.Inputs.Unpinned) > 0 {
			r.say("%s is built each time: %s", t.Name, t.Inputs.Unpinned[0])
			continue
		}
		for _, ref := range t.References() {
			eg.Go(func() error {
				digest, ok, err := r.opt.Registries.Digest(ctx, ref)
				if err != nil {
					r.say("%s is built, because its image was not looked up: %v", t.Name, err)
				}
				if ok && err == nil {
					mu.Lock()
					defer mu.Unlock()
					found[ref] = digest
				}
				return nil
			})
		}
	}
	_ = eg.Wait() // what was not found is built
	return found
}

// say prints a sentence, unless --quiet.
func (r *request) say(format string, args ...any) {
	if r.opt.Progress != "quiet" {
		fmt.Fprintf(r.opt.Stderr, "samforge: "+format+"\n", args...)
	}
}

// visible are the settings that the steps of a build can see.
func (opt Options) visible() (settings []string) {
	if opt.Network != "" && opt.Network != "default" {
		settings = append(settings, "network "+opt.Network)
	}
	for _, host := range opt.AddHosts {
		settings = append(settings, "host "+host)
	}
	return settings
}
