package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// ephemeralResults are the rows of the section.
type ephemeralResults struct {
	sam, samBumped   samples
	pair, pairBumped samples
	framework        samples // of the pair, another version

	layers      int // pulled for what has not changed and for newer base images, and runs of npm
	onFramework work
}

// ephemeral is the section on builders that live for one build, as in CI: an
// empty buildkitd each time, and a cache in the registry.
func (b *bench) ephemeral(ctx context.Context) (err error) {
	s, err := b.prepareServerless(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.npm.Close()) }()
	const samBase, samBumped = "public.ecr.aws/sam/build-nodejs20.x:1.147.0-20251003000000-x86_64", "public.ecr.aws/sam/build-nodejs20.x:1.148.0-20251004000000-x86_64"
	for ref, version := range map[string]string{samBase: "1.147.0", samBumped: "1.148.0"} {
		if err := b.publish(ctx, ref, "nodejs20.x", version, smallBase); err != nil {
			return err
		}
	}
	p := measuredPairs()[0]
	bumped, err := s.bumpRuntime(ctx, p, 50)
	if err != nil {
		return err
	}
	cache := func(name string) string { return "type=registry,ref=" + s.repo("ephemeral-cache") + ":" + name }
	sam := func(base string, more ...string) func(*testenv.Buildkitd) (result, error) {
		return func(d *testenv.Buildkitd) (result, error) {
			return s.build(ctx, d.Addr, s.repo("ephemeral-sam"), append(oneImageArgs(base), more...)...)
		}
	}
	pairs := func(p pair, more ...string) func(*testenv.Buildkitd) (result, error) {
		return func(d *testenv.Buildkitd) (result, error) {
			return s.buildServerless(ctx, d, s.repo("ephemeral-pair"), append(p.args(), more...)...)
		}
	}
	var r ephemeralResults
	once := func(into *samples, build func(*testenv.Buildkitd) (result, error)) (work, error) {
		var w work
		err := s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
			s.registry.Reset()
			built, err := build(d)
			if into != nil {
				*into = append(*into, built.wall)
			}
			w = s.work(built)
			return err
		})
		return w, err
	}
	fill := []func(*testenv.Buildkitd) (result, error){
		sam(samBase, "--cache-to", cache("sam")+",mode=max"), pairs(p, "--cache-to", cache("{{.Target}}")+",mode=max"),
	}
	for _, build := range fill {
		if _, err := once(nil, build); err != nil {
			return err
		}
	}
	for i := range b.runs {
		for _, row := range []struct {
			into  *samples
			build func(*testenv.Buildkitd) (result, error)
		}{
			{&r.sam, sam(samBase, "--cache-from", cache("sam"))}, {&r.samBumped, sam(samBumped, "--cache-from", cache("sam"))},
			{&r.pair, pairs(p, "--cache-from", cache("{{.Target}}"))}, {&r.pairBumped, pairs(bumped, "--cache-from", cache("{{.Target}}"))},
		} {
			w, err := once(row.into, row.build)
			if err != nil {
				return err
			}
			r.layers += w.pulled + w.npm
		}
		w, err := once(&r.framework, pairs(p, "--cache-from", cache("{{.Target}}"), "--build-arg", "SERVERLESS_VERSION="+nextFramework))
		if err != nil {
			return err
		}
		r.onFramework.most(w)
		b.say("ephemeral %d/%d: SAM %s, bumped %s; pair %s, bumped %s, framework bumped %s", i+1, b.runs,
			seconds(r.sam[i]), seconds(r.samBumped[i]), seconds(r.pair[i]), seconds(r.pairBumped[i]), seconds(r.framework[i]))
	}
	b.reportEphemeral(r)
	return nil
}

func (b *bench) reportEphemeral(r ephemeralResults) {
	var table [][]string
	for _, row := range []struct {
		wall samples
		what string
	}{
		{r.sam, "SAM image, unchanged"}, {r.samBumped, "SAM image, newer base image"},
		{r.pair, "Serverless pair, unchanged"}, {r.pairBumped, "Serverless pair, newer runtime image"},
		{r.framework, "Serverless pair, another version of the framework"},
	} {
		b.figure("empty builder, cache in the registry", row.what, row.wall.median(), row.what == "SAM image, unchanged")
		table = append(table, []string{ratio(row.wall.median(), r.sam.median()), seconds(row.wall.median()), row.wall.String(), row.what})
	}
	printTable("Ephemeral builders", "Each build on an empty buildkitd, with a cache in the registry.",
		[]string{"X UNCHANGED", "WALL", "MIN-MAX", ""}, table)
	b.claimBelow("an unchanged SAM image", r.sam.median(), time.Second)
	b.claimBelow("a SAM image on a newer base image", r.samBumped.median(), time.Second)
	b.claimBelow("an unchanged Serverless pair", r.pair.median(), time.Second)
	b.claimBelow("a Serverless pair on a newer runtime image", r.pairBumped.median(), time.Second)
	b.claim(r.layers == 0, "no layer is pulled and npm does not run for any of them", fmt.Sprint(r.layers))
	b.claim(r.onFramework.npm == 1, "npm runs once for another version of the framework", fmt.Sprint(r.onFramework.npm))
}
