package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/builder"
)

// smallBase is the compressed size of base images that only have to exist: none of them is pulled.
const smallBase = 100 << 20

// againResults are the rows of the section.
type againResults struct {
	cold, unchanged, bumped samples // on a running buildkitd
	private                 samples // cold, on a buildkitd that samforge starts and stops
	ready                   samples // until a private buildkitd answers
	help                    samples

	bumpedLayers int // pulled
}

// again is the section on everything after the first build: building the same image again, building
// it after its base image changed, and the cost of starting a buildkitd.
func (b *bench) again(ctx context.Context) error {
	const base = "public.ecr.aws/sam/build-nodejs20.x:1.144.0-20250911030138-x86_64"
	if err := b.publish(ctx, base, "nodejs20.x", "1.144.0", smallBase); err != nil {
		return err
	}
	var r againResults
	for i := range b.runs {
		if err := b.againOnce(ctx, &r, base, i); err != nil {
			return err
		}
		b.say("again %d/%d: cold %s, unchanged %s, base bumped %s, private %s", i+1, b.runs,
			seconds(r.cold[i]), seconds(r.unchanged[len(r.unchanged)-1]), seconds(r.bumped[i]), seconds(r.private[i]))
	}
	for range 10 {
		help, err := b.command(ctx, nil, b.samforge, "build", "--help")
		if err != nil {
			return err
		}
		r.help = append(r.help, help.wall)
	}
	b.reportAgain(r)
	return nil
}

func (b *bench) againOnce(ctx context.Context, r *againResults, base string, i int) error {
	err := b.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		build := func(into *samples, base string) error {
			built, err := b.build(ctx, d.Addr, b.repo("again-%d", i), oneImageArgs(base)...)
			*into = append(*into, built.wall)
			return err
		}
		if err := build(&r.cold, base); err != nil {
			return err
		}
		for range 3 {
			if err := build(&r.unchanged, base); err != nil {
				return err
			}
		}
		newer := fmt.Sprintf("1.%d.0", 145+i)
		bumped := "public.ecr.aws/sam/build-nodejs20.x:" + newer + "-20251002000000-x86_64"
		if err := b.publish(ctx, bumped, "nodejs20.x", newer, smallBase); err != nil {
			return err
		}
		b.registry.Reset()
		if err := build(&r.bumped, bumped); err != nil {
			return err
		}
		layers, _, err := b.registry.PulledFrom(ctx, bumped)
		r.bumpedLayers = max(r.bumpedLayers, layers)
		return err
	})
	if err != nil {
		return err
	}
	return b.private(ctx, r, base, i)
}

// private measures a buildkitd that samforge starts itself, each time without an earlier state.
func (b *bench) private(ctx context.Context, r *againResults, base string, i int) (err error) {
	cache, err := os.MkdirTemp(b.dir, "cache-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
	begin := time.Now()
	found, err := builder.Find(ctx, builder.Options{Address: "private://", Env: b.privateEnv(filepath.Join(cache, "find"))})
	r.ready = append(r.ready, time.Since(begin))
	if err != nil {
		return err
	}
	if err := found.Close(); err != nil {
		return err
	}
	built, err := b.command(ctx, []string{"XDG_CACHE_HOME=" + filepath.Join(cache, "build")}, b.samforge,
		b.buildArgs("private://", b.repo("private-%d", i), oneImageArgs(base)...)...)
	r.private = append(r.private, built.wall)
	return err
}

// privateEnv is the environment of a user with an empty cache directory and with buildkitd on PATH,
// beside samforge.
func (b *bench) privateEnv(cache string) func(string) string {
	return func(name string) string {
		switch name {
		case "XDG_CACHE_HOME":
			return cache
		case "PATH":
			return filepath.Dir(b.samforge) + string(os.PathListSeparator) + os.Getenv("PATH")
		}
		return os.Getenv(name)
	}
}

func (b *bench) reportAgain(r againResults) {
	again := r.unchanged.median()
	row := func(name string, s samples) []string {
		return []string{ratio(s.median(), again), seconds(s.median()), s.String(), name}
	}
	printTable("Again", fmt.Sprintf("The same kind of image, base images of %d MB; every wall time is that of a whole process, pushing included.", smallBase>>20),
		[]string{"X UNCHANGED", "WALL", "MIN-MAX", ""}, [][]string{
			row("unchanged, same buildkitd", r.unchanged),
			row(fmt.Sprintf("runtime base bumped, same buildkitd (%d of its layers pulled)", r.bumpedLayers), r.bumped),
			row("cold, running buildkitd", r.cold),
			row("cold, private buildkitd that samforge starts and stops", r.private),
			row("a private buildkitd until it answers, without state", r.ready),
			row("samforge build --help", r.help),
		})
	fmt.Printf("  private buildkitd, started and stopped: %+.3f s on a cold build\n", (r.private.median() - r.cold.median()).Seconds())
	b.claimBelow("unchanged rebuild", again, 300*time.Millisecond)
	b.claimBelow("samforge build --help", r.help.median(), 50*time.Millisecond)
	b.claimBelow("private buildkitd until it answers", r.ready.median(), 500*time.Millisecond)
	b.claim(r.bumpedLayers == 0, "a bumped base image pulls 0 of its layers", fmt.Sprint(r.bumpedLayers))
}
