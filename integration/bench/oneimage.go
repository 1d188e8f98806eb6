package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/samforge/samforge/integration/testenv"
)

// way is one way to make and push the image.
type way struct {
	name     string
	build    func(s *oneImage, ctx context.Context, d *testenv.Buildkitd, target string, args ...string) (result, error)
	program  string // a program that the machine may lack
	noDaemon bool
	debian   bool // copies the Docker CLI from a Debian package, or not at all

	wall   samples
	layers int   // layers of the base that were pulled, in the last run
	bytes  int64 // of them
	state  int64 // bytes of the daemon's state afterwards; -1 without a daemon
}

// oneImage is the section that makes the published pipeline's image in several ways.
type oneImage struct {
	*bench
	name      string            // of the base image
	base      string            // in the registry
	image     v1.Image          // the base image
	baseCount int               // its layers
	baseBytes int64             // of them, compressed
	want      map[string][]byte // the files of the first image
}

// The rows, by what they are compared with.
const (
	floor     = "registry floor: crane, no build engine"
	samforge  = "samforge build --push, cold"
	published = "published Dockerfile, BuildKit, cold"
	noInstall = "published, without its Docker CLI install step, cold"

	publishedDocker  = "published Dockerfile, Docker engine, cold"
	publishedBuildah = "published Dockerfile, buildah, cold"
)

// ways are the ways that this machine has the programs for.
func ways() []*way {
	all := []*way{
		{name: floor, build: (*oneImage).floor, noDaemon: true},
		{name: samforge, build: (*oneImage).samforge},
		{name: "hand-optimised Dockerfile (COPY --link --chmod), cold", build: (*oneImage).optimised},
		{name: noInstall, build: (*oneImage).publishedWithoutDocker, debian: true},
		{name: published, build: (*oneImage).published, debian: true},
	}
	for _, w := range []*way{
		{name: publishedDocker, build: (*oneImage).publishedOnDocker, program: "docker", noDaemon: true, debian: true},
		{name: publishedBuildah, build: (*oneImage).publishedOnBuildah, program: "buildah", noDaemon: true, debian: true},
	} {
		if _, err := exec.LookPath(w.program); err == nil {
			all = append(all, w)
		}
	}
	return all
}

// oneImage measures the ways in turn, run by run, each time on a fresh
// buildkitd and into a fresh repository.
func (b *bench) oneImage(ctx context.Context) error {
	s := &oneImage{bench: b}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	rows := ways()
	for i := range b.runs {
		for n, w := range rows {
			if err := s.measure(ctx, w, s.repo("one-%d-%d", n, i)+":1"); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			b.say("one-image %d/%d: %s: %s", i+1, b.runs, w.name, seconds(w.wall[i]))
		}
	}
	s.report(rows)
	return nil
}

// debianSize is roughly the compressed size of the Debian.
const debianSize = 41 << 20

// prepare publishes the base image: the layers and the environment of a SAM build image, and a
// Debian on top, because the published Dockerfile runs curl and a package manager in it. The
// section decides its size.
func (s *oneImage) prepare(ctx context.Context) error {
	s.say("making a base image of %s MB with Debian in it", megabytes(s.baseSize))
	debian, err := testenv.DebianRoot(ctx, "bookworm", "ca-certificates", "curl")
	if err != nil {
		return err
	}
	options := testenv.SAMBaseOptions{Runtime: "nodejs22.x", Arch: "amd64"}
	for i, percent := range []int64{25, 45, 30} {
		options.Extra = append(options.Extra, testenv.Layer{
			Blob: fmt.Sprintf("programs-%d", i), Programs: 2 * (s.baseSize - debianSize) * percent / 100, // they compress to half
		})
	}
	options.Extra = append(options.Extra, debian)
	image, err := testenv.SAMBase(ctx, options)
	if err != nil {
		return err
	}
	s.name = pipelineBase
	if s.image, err = withSystemPath(image); err != nil {
		return err
	}
	if s.base, err = s.registry.Ref(s.name); err != nil {
		return err
	}
	if _, err := s.registry.Push(s.name, s.image); err != nil {
		return err
	}
	layers, err := s.registry.ImageLayers(ctx, s.name)
	s.baseCount, s.baseBytes = len(layers), 0
	for _, size := range layers {
		s.baseBytes += size
	}
	return err
}

// withSystemPath adds the directories that dpkg needs to an image's PATH.
func withSystemPath(image v1.Image) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	for i, variable := range config.Config.Env {
		if strings.HasPrefix(variable, "PATH=") {
			config.Config.Env[i] += ":/usr/sbin:/sbin"
		}
	}
	return mutate.Config(image, config.Config)
}

// measure makes the image once in one way, and checks the result.
func (s *oneImage) measure(ctx context.Context, w *way, target string) error {
	once := func(d *testenv.Buildkitd) error {
		s.registry.Reset()
		r, err := w.build(s, ctx, d, target)
		if err != nil {
			return err
		}
		w.wall = append(w.wall, r.wall)
		if w.layers, w.bytes, err = s.registry.PulledFrom(ctx, s.name); err != nil {
			return err
		}
		if d != nil {
			if w.state, err = d.DiskUsage(); err != nil {
				return err
			}
		}
		return s.check(ctx, target, !w.debian)
	}
	if w.noDaemon {
		w.state = -1
		return once(nil)
	}
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, once)
}

func (s *oneImage) report(rows []*way) {
	times := map[string]samples{}
	var table [][]string
	for _, w := range rows {
		times[w.name] = w.wall
	}
	for _, w := range rows {
		s.figure("SAM image", w.name, w.wall.median(), w.name == samforge)
		state := "-"
		if w.state >= 0 {
			state = megabytes(w.state)
		}
		wall := w.wall.median()
		table = append(table, []string{
			ratio(wall, times[floor].median()), ratio(wall, times[samforge].median()), seconds(wall), w.wall.String(),
			fmt.Sprintf("%d of %d", w.layers, s.baseCount), megabytes(w.bytes), state, w.name,
		})
	}
	printTable("One image", fmt.Sprintf("The SAM image of the published pipeline, pushed to the registry that its base image is in.\n"+
		"Stand-ins of realistic sizes that compress as programs do: base image %s MB compressed, about twice that unpacked; plugin %d MB, Docker CLI %d MB, go-template %d MB.",
		megabytes(s.baseBytes), pluginSize>>20, dockerSize>>20, goTemplateSize>>20),
		[]string{"X FLOOR", "X SAMFORGE", "WALL", "MIN-MAX", "BASE LAYERS PULLED", "BASE MB", "DAEMON STATE MB", ""}, table)

	fmt.Printf("  without the step that installs packages from Debian's mirror, the published Dockerfile takes %s samforge\n",
		ratio(times[noInstall].median(), times[samforge].median()))
	overFloor := quotient(times[samforge].median(), times[floor].median())
	s.claim(overFloor <= 2, "samforge takes at most 2x the registry floor", fmt.Sprintf("%.1fx", overFloor))
	faster := quotient(times[published].median(), times[samforge].median())
	s.claim(faster >= 10, "the published Dockerfile takes at least 10x samforge", fmt.Sprintf("%.1fx", faster))
	s.claim(rows[1].layers == 0, "samforge pulls 0 base layers", fmt.Sprint(rows[1].layers))
}
