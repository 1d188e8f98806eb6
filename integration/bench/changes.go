package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

// The changes since the previous build.
const (
	unchanged      = "unchanged"
	newerBase      = "newer base image"
	otherFramework = "another version of the framework"
)

// The builders that build after a change.
const (
	keptBuilder  = "same builder"
	emptyBuilder = "empty builder, cache in the registry"
)

// contender builds a subject in one way.
type contender struct {
	what, by string
	changes  []string
	build    func(ctx context.Context, d *testenv.Buildkitd, repo, change string, cache registryCache) (result, error)

	walls map[string]samples // by change and builder
	did   map[string]work    // likewise, the most in one run
}

func (c *contender) ours() bool { return c.by == "samforge" }

// rows are the changes, on either kind of builder.
func (c *contender) rows() (rows []string) {
	for _, builder := range []string{keptBuilder, emptyBuilder} {
		for _, change := range c.changes {
			rows = append(rows, row(change, builder))
		}
	}
	return rows
}

func row(change, builder string) string { return change + ", " + builder }

// registryCache names the repositories that a build imports its cache from and exports it to;
// either may be empty.
type registryCache struct{ to, from string }

// samforge returns the cache as options of samforge.
func (c registryCache) samforge() []string {
	return c.args("--cache-to", "--cache-from", "{{.Target}}")
}

// buildctl returns the cache as options of buildctl.
func (c registryCache) buildctl(tag string) []string {
	return c.args("--export-cache", "--import-cache", tag)
}

func (c registryCache) args(to, from, tag string) (args []string) {
	if c.to != "" {
		args = append(args, to, "type=registry,ref="+c.to+":"+tag+",mode=max")
	}
	if c.from != "" {
		args = append(args, from, "type=registry,ref="+c.from+":"+tag)
	}
	return args
}

// changes is the section on every build after the first: nothing has changed, or the base image, or
// the framework. It builds on a builder that kept its state, and, as in CI, on empty ones with a
// cache in the registry. The published pipeline has neither; here its Dockerfiles get both.
func (b *bench) changes(ctx context.Context) (err error) {
	one := &oneImage{bench: b}
	if err := one.prepare(ctx); err != nil {
		return err
	}
	s, err := b.prepareServerless(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.npm.Close()) }()
	contenders, err := one.contenders(ctx)
	if err != nil {
		return err
	}
	pairs, err := s.contenders(ctx)
	if err != nil {
		return err
	}
	contenders = append(contenders, pairs...)
	for n, c := range contenders {
		c.walls, c.did = map[string]samples{}, map[string]work{}
		repo := b.repo("changes-%d", n)
		if err := s.fillCache(ctx, c, repo); err != nil {
			return fmt.Errorf("%s by %s: %w", c.what, c.by, err)
		}
		for i := range b.runs {
			if err := errors.Join(s.onKeptBuilder(ctx, c, fmt.Sprintf("%s-kept-%d", repo, i)), s.onEmptyBuilders(ctx, c, repo, i)); err != nil {
				return fmt.Errorf("%s by %s: %w", c.what, c.by, err)
			}
		}
	}
	b.reportChanges(contenders)
	return nil
}

// contenders build the SAM image. The newer base image has one more small layer: the least extra
// work for contenders that pull it.
func (s *oneImage) contenders(ctx context.Context) ([]*contender, error) {
	newer := *s
	newer.name = "public.ecr.aws/sam/build-nodejs22.x:1.145.0-20251002000000-x86_64"
	image, err := bumped(s.image, newer.name)
	if err != nil {
		return nil, err
	}
	if _, err = s.registry.Push(newer.name, image); err != nil {
		return nil, err
	}
	if newer.base, err = s.registry.Ref(newer.name); err != nil {
		return nil, err
	}
	of := func(change string) *oneImage {
		if change == newerBase {
			return &newer
		}
		return s
	}
	what, changes := "SAM image", []string{unchanged, newerBase}
	byDockerfile := func(by string, build func(*oneImage, context.Context, *testenv.Buildkitd, string, ...string) (result, error)) *contender {
		return &contender{what: what, by: by, changes: changes,
			build: func(ctx context.Context, d *testenv.Buildkitd, repo, change string, cache registryCache) (result, error) {
				return build(of(change), ctx, d, repo+":1", cache.buildctl("sam")...)
			}}
	}
	return []*contender{
		{what: what, by: "samforge", changes: changes,
			build: func(ctx context.Context, d *testenv.Buildkitd, repo, change string, cache registryCache) (result, error) {
				return of(change).samforge(ctx, d, repo+":1", cache.samforge()...)
			}},
		byDockerfile("hand-optimised Dockerfile, BuildKit", (*oneImage).optimised),
		byDockerfile("published Dockerfile, BuildKit", (*oneImage).published),
	}, nil
}

// contenders build the first pair.
func (s *serverlessBed) contenders(ctx context.Context) ([]*contender, error) {
	p := measuredPairs()[0]
	newer, err := s.bumpRuntime(ctx, p, 50)
	if err != nil {
		return nil, err
	}
	of := func(change string) (pair, string) {
		switch change {
		case newerBase:
			return newer, framework
		case otherFramework:
			return p, nextFramework
		}
		return p, framework
	}
	what, changes := "Serverless pair", []string{unchanged, newerBase, otherFramework}
	return []*contender{
		{what: what, by: "samforge", changes: changes,
			build: func(ctx context.Context, d *testenv.Buildkitd, repo, change string, cache registryCache) (result, error) {
				p, version := of(change)
				args := append(p.args(), "--build-arg", "SERVERLESS_VERSION="+version)
				return s.buildServerless(ctx, d, s.file, repo, append(args, cache.samforge()...)...)
			}},
		{what: what, by: "published Dockerfiles, BuildKit", changes: changes,
			build: func(ctx context.Context, d *testenv.Buildkitd, repo, change string, cache registryCache) (result, error) {
				p, version := of(change)
				run, err := s.runPublished(ctx, d, p, version, repo, cache)
				return result{wall: run.wall}, err
			}},
	}, nil
}

// bumped returns the image with one more small layer, which contains ref.
func bumped(image v1.Image, ref string) (v1.Image, error) {
	newer, err := testenv.Image(testenv.ImageOptions{
		Arch: "amd64", Docker: true,
		Layers: []testenv.Layer{{Files: []testenv.File{{Path: "/etc/bumped", Data: []byte(ref + "\n")}}}},
	})
	if err != nil {
		return nil, err
	}
	return withLayers(image, newer)
}

func cacheOf(repo string) string { return repo + "-cache" }

// fillCache builds cold and exports the cache.
func (s *serverlessBed) fillCache(ctx context.Context, c *contender, repo string) error {
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		_, err := c.build(ctx, d, repo, unchanged, registryCache{to: cacheOf(repo)})
		return err
	})
}

// onKeptBuilder builds cold and then once for each change.
func (s *serverlessBed) onKeptBuilder(ctx context.Context, c *contender, repo string) error {
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		if _, err := c.build(ctx, d, repo, unchanged, registryCache{}); err != nil {
			return err
		}
		for _, change := range c.changes {
			if err := s.measureChange(ctx, c, d, repo, change, keptBuilder, registryCache{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// onEmptyBuilders builds once for each change, each time on an empty builder and into an empty
// repository, so that only the cache helps and not an earlier push.
func (s *serverlessBed) onEmptyBuilders(ctx context.Context, c *contender, repo string, run int) error {
	for n, change := range c.changes {
		err := s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
			into := fmt.Sprintf("%s-empty-%d-%d", repo, run, n)
			return s.measureChange(ctx, c, d, into, change, emptyBuilder, registryCache{from: cacheOf(repo)})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *serverlessBed) measureChange(ctx context.Context, c *contender, d *testenv.Buildkitd, repo, change, builder string, cache registryCache) error {
	s.registry.Reset()
	built, err := c.build(ctx, d, repo, change, cache)
	if err != nil {
		return err
	}
	name, did := row(change, builder), s.work(built)
	s.say("changes: %s, %s: %s: %s, %s", c.what, name, c.by, seconds(built.wall), did)
	c.walls[name] = append(c.walls[name], built.wall)
	did.most(c.did[name])
	c.did[name] = did
	return nil
}

// reportChanges prints a row for each change, builder and contender. It compares the rows of the
// same change and builder.
func (b *bench) reportChanges(contenders []*contender) {
	var table [][]string
	for _, ours := range contenders {
		if !ours.ours() {
			continue
		}
		for _, row := range ours.rows() {
			for _, c := range contenders {
				if c.what != ours.what {
					continue
				}
				what, wall := c.what+", "+row, c.walls[row].median()
				b.figure(what, c.by, wall, c.ours())
				table = append(table, []string{ratio(wall, ours.walls[row].median()), seconds(wall), c.walls[row].String(), fmt.Sprint(c.did[row].pulled), what + ": " + c.by})
			}
		}
	}
	printTable("Changes", "Builds after a first one. The published pipeline starts with an empty engine and without a cache each time: here its Dockerfiles\n"+
		"have both. The newer base image has one small layer more than the one before.",
		[]string{"X SAMFORGE", "WALL", "MIN-MAX", "LAYERS PULLED", ""}, table)
	for _, c := range contenders {
		if c.ours() {
			b.claimChanges(c)
		}
	}
}

// claimChanges claims what samforge promises for each of its rows.
func (b *bench) claimChanges(c *contender) {
	for _, row := range c.rows() {
		did := c.did[row]
		if strings.HasPrefix(row, otherFramework) {
			b.claim(did.npm == 1, c.what+", "+row+": npm runs once", fmt.Sprint(did.npm))
			continue
		}
		b.claimBelow(c.what+", "+row, c.walls[row].median(), time.Second)
		b.claim(did.pulled == 0 && did.npm == 0, c.what+", "+row+": no layer is pulled and npm does not run", did.String())
	}
}
