package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// serverlessResults are the rows of the section, and the counts.
type serverlessResults struct {
	irreducible   samples // of a pair
	floorOfAll    samples // the irreducible work for the eighteen
	pair          samples // the two images of a runtime
	samPair       samples // the same with a SAM image as node image
	framework     samples // once more with another version of the framework
	runtime       samples // once more with another version of the runtime image
	all           samples // the eighteen images
	samAll        samples // the same with SAM images as node images
	published     samples // a run of the published pipeline: the pair
	withoutDebian samples // the same without its steps that install Debian packages
	nine          samples // nine runs, extrapolated from two measured ones
	plan          samples // samforge plan of the eighteen images

	sizes, publishedSizes serverlessSizes

	onFramework, onRuntime work
	npm                    int // the most runs of npm for the eighteen images
	pulled                 int // layers of runtime images
	planned                int // layers that plans pulled
	digests                [][]string
}

// work is what a build on a running buildkitd did.
type work struct {
	npm      int // runs
	pulled   int // layers of any image
	uploaded int // blobs
}

// most keeps the larger of each number.
func (w *work) most(other work) {
	w.npm, w.pulled, w.uploaded = max(w.npm, other.npm), max(w.pulled, other.pulled), max(w.uploaded, other.uploaded)
}

// serverless is the section on Serverless images: a pair of one runtime, and the
// eighteen images of the example.
func (b *bench) serverless(ctx context.Context) (err error) {
	s, err := b.prepareServerless(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.npm.Close()) }()
	var r serverlessResults
	for i := range b.runs {
		for _, measure := range []func(context.Context, *serverlessResults, int) error{
			s.measureIrreducible, s.measurePair, s.measureSAMNodes, s.measurePublished, s.measureAll,
		} {
			if err := measure(ctx, &r, i); err != nil {
				return err
			}
		}
	}
	if b.runs == 1 { // two runs make the digests comparable
		if err := s.measureAll(ctx, &r, b.runs); err != nil {
			return err
		}
	}
	s.reportServerless(r)
	return nil
}

func (s *serverlessBed) measureIrreducible(ctx context.Context, r *serverlessResults, i int) error {
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		took, err := s.irreducible(ctx, d, lambdaPair().node, s.repo("irreducible-%d", i))
		r.irreducible = append(r.irreducible, took)
		s.say("serverless %d: irreducible part of a pair: %s", i+1, seconds(took))
		return err
	})
}

// measurePair builds a pair cold, and then twice on the same buildkitd with one thing changed.
func (s *serverlessBed) measurePair(ctx context.Context, r *serverlessResults, i int) error {
	p := lambdaPair()
	bumped, err := s.bumpRuntime(ctx, p, i)
	if err != nil {
		return err
	}
	repo := s.repo("serverless-pair-%d", i)
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		build := func(into *samples, args ...string) (work, error) {
			s.registry.Reset()
			built, err := s.buildServerless(ctx, d, s.file, repo, args...)
			*into = append(*into, built.wall)
			return s.work(built), err
		}
		if _, err := build(&r.pair, p.args()...); err != nil {
			return err
		}
		r.pulled += s.pulledOf(p.image)
		onFramework, err := build(&r.framework, append(p.args(), "--build-arg", "SERVERLESS_VERSION="+nextFramework)...)
		if err != nil {
			return err
		}
		onRuntime, err := build(&r.runtime, bumped.args()...)
		if err != nil {
			return err
		}
		r.onFramework.most(onFramework)
		r.onRuntime.most(onRuntime)
		s.say("serverless %d: pair %s, framework bumped %s, runtime image bumped %s", i+1,
			seconds(r.pair[i]), seconds(r.framework[i]), seconds(r.runtime[i]))
		r.sizes, err = s.sizes(ctx, p.image, serverlessImage{
			ref:     fmt.Sprintf("%s:%s-%s-1.1.0-beta-linux-amd64", repo, p.runtime, framework),
			layer:   "serverless from npm package",
			modules: "/opt/harness/serverless/node_modules",
		})
		return err
	})
}

// measureSAMNodes builds the pair and the eighteen images cold with SAM images as node images, each
// on its own buildkitd.
func (s *serverlessBed) measureSAMNodes(ctx context.Context, r *serverlessResults, i int) error {
	cold := func(into *samples, what, file, repo string, args ...string) error {
		return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
			built, err := s.buildServerless(ctx, d, file, repo, args...)
			*into = append(*into, built.wall)
			s.say("serverless %d: %s with SAM images as node images: %s", i+1, what, seconds(built.wall))
			return err
		})
	}
	if err := cold(&r.samPair, "pair", s.file, s.repo("serverless-sam-pair-%d", i), measuredPairs()[0].args()...); err != nil {
		return err
	}
	return cold(&r.samAll, "eighteen images", s.sam, s.repo("serverless-sam-all-%d", i))
}

// bumpRuntime publishes a newer version of a pair's runtime image.
func (s *serverlessBed) bumpRuntime(ctx context.Context, p pair, i int) (pair, error) {
	p.image = fmt.Sprintf("public.ecr.aws/sam/build-%s:1.%d.0-20251002000000", p.runtime, 150+i)
	image, err := bumped(s.base, p.image)
	if err != nil {
		return p, err
	}
	_, err = s.registry.Push(p.image, image)
	return p, err
}

// measurePublished runs the published pipeline for two pairs, each on a fresh BuildKit, as in its
// own step group.
func (s *serverlessBed) measurePublished(ctx context.Context, r *serverlessResults, i int) error {
	var both time.Duration
	for n, p := range measuredPairs() {
		repo := s.repo("serverless-published-%d-%d", i, n)
		err := s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) (err error) {
			run, err := s.runPublished(ctx, d, p, framework, repo, registryCache{})
			if err != nil {
				return err
			}
			s.say("serverless %d: published pipeline for %s: %s, %s of it Debian packages", i+1, p.runtime, seconds(run.wall), seconds(run.debian))
			both += run.wall
			if n > 0 {
				return nil
			}
			r.published = append(r.published, run.wall)
			r.withoutDebian = append(r.withoutDebian, run.wall-run.debian)
			r.publishedSizes, err = s.sizes(ctx, p.image, serverlessImage{
				ref: repo + ":serverless", layer: "npm install -g", modules: "/var/lang/lib/node_modules",
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("published pipeline for %s: %w", p.runtime, err)
		}
	}
	r.nine = append(r.nine, both*9/2)
	return nil
}

func (s *serverlessBed) measureAll(ctx context.Context, r *serverlessResults, i int) error {
	err := s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		took, err := s.irreducibleOfAll(ctx, d, s.repo("irreducible-all-%d", i))
		r.floorOfAll = append(r.floorOfAll, took)
		s.say("serverless %d: irreducible part of eighteen images: %s", i+1, seconds(took))
		return err
	})
	if err != nil {
		return err
	}
	repo := s.repo("serverless-all-%d", i)
	return s.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		s.registry.Reset()
		built, err := s.buildServerless(ctx, d, s.file, repo)
		if err != nil {
			return err
		}
		r.all = append(r.all, built.wall)
		s.say("serverless %d: eighteen images: %s", i+1, seconds(built.wall))
		r.npm = max(r.npm, s.work(built).npm)
		r.pulled += s.pulledOf(append(samNodeImages(), runtimeImages()...)...)
		var digests []string
		for _, image := range strings.Fields(built.stdout) {
			digests = append(digests, strings.TrimPrefix(image, repo)) // :python3.12-…@sha256:…
		}
		r.digests = append(r.digests, digests)
		return s.measurePlan(ctx, r, repo)
	})
}

// measurePlan plans the eighteen images, which are in the registry by now.
func (s *serverlessBed) measurePlan(ctx context.Context, r *serverlessResults, repo string) error {
	s.registry.Reset()
	args := []string{"plan", "-f", s.file, "--repo", repo}
	for from, to := range s.registry.Mirrors() {
		args = append(args, "--mirror", from+"="+to)
	}
	planned, err := s.command(ctx, nil, s.samforge, args...)
	r.plan = append(r.plan, planned.wall)
	r.planned += s.work(planned).pulled
	return err
}

var npmStep = regexp.MustCompile(`\] npm ci serverless@`)

// work returns what a build has done since the registry was reset.
func (s *serverlessBed) work(built result) work {
	return work{npm: len(stepsThatRan(built.stderr, npmStep)), uploaded: s.registry.Stats().Uploads, pulled: layersPulled(s.registry)}
}

// pulledOf returns how many layers were fetched from the repositories of images. Some images share
// a layer; PulledFrom would count it for each.
func (s *serverlessBed) pulledOf(refs ...string) (layers int) {
	for _, pull := range s.registry.Pulls() {
		if pull.Kind == "layer" && slices.ContainsFunc(refs, func(ref string) bool {
			repository, _, _ := strings.Cut(ref, ":")
			return "public.ecr.aws/"+strings.TrimPrefix(pull.Repository, "ecr/") == repository
		}) {
			layers++
		}
	}
	return layers
}

func (s *serverlessBed) reportServerless(r serverlessResults) {
	first, second := measuredPairs()[0], measuredPairs()[1]
	row := func(name string, times samples, sizes serverlessSizes) []string {
		wall := times.median()
		return []string{
			ratio(wall, r.irreducible.median()), ratio(wall, r.pair.median()), seconds(wall), times.String(),
			orNone(sizes.layer), orNone(sizes.added), name,
		}
	}
	none := serverlessSizes{}
	printTable("Serverless", fmt.Sprintf("The image without the framework and the one with it, of %s; and the 18 images of %s.\n"+
		"Stand-ins that run: a real Node.js and npm, on Debian. Node.js comes from Lambda base images of %d MB compressed; the published\n"+
		"Dockerfiles, and samforge in two rows, take it from SAM images of %d MB. npm's registry is on this machine and has all packages; the published Dockerfile gets its\n"+
		"address with ENV npm_config_registry, and go-template and Docker's archive (only the client, %d MB) from here.\n"+
		"Nine runs of the published pipeline: those for %s and %s were measured, and their mean is multiplied by nine.",
		first.runtime, serverlessFile, s.lambdaMB, s.samMB, dockerSize>>20, first.runtime, second.runtime),
		[]string{"X IRREDUCIBLE", "X PAIR", "WALL", "MIN-MAX", "FRAMEWORK LAYER MB", "ADDED MB", ""}, [][]string{
			row("irreducible: pull and unpack the node image, npm ci, push its layer, cold", r.irreducible, none),
			row("samforge, a pair, cold", r.pair, r.sizes),
			row("samforge, a pair, SAM image as node image, cold", r.samPair, none),
			row("samforge, a pair, framework bumped, same buildkitd", r.framework, none),
			row("samforge, a pair, runtime image bumped, same buildkitd", r.runtime, none),
			row("published, a pair, less the time of the step that installs Debian packages", r.withoutDebian, none),
			row("published, a pair: two Dockerfiles one after the other on one BuildKit, cold", r.published, r.publishedSizes),
			row("irreducible: pull and unpack 3 node images, push a layer of each one's Node.js and npm's, cold", r.floorOfAll, none),
			row("samforge, 18 images, cold", r.all, none),
			row("samforge, 18 images, SAM images as node images, cold", r.samAll, none),
			row("published, 9 runs, cold", r.nine, none),
		})
	for _, f := range []struct {
		by   string
		wall samples
	}{
		{"no build can avoid this", r.irreducible}, {"samforge, cold", r.pair},
		{"samforge, SAM image as node image, cold", r.samPair},
		{"published Dockerfiles, BuildKit, cold", r.published},
	} {
		s.figure("Serverless pair", f.by, f.wall.median(), f.by == "samforge, cold")
	}
	s.figure("18 Serverless images", "no build can avoid this", r.floorOfAll.median(), false)
	s.figure("18 Serverless images", "samforge, cold", r.all.median(), true)
	s.figure("18 Serverless images", "samforge, SAM images as node images, cold", r.samAll.median(), false)
	s.figure("18 Serverless images", "published pipeline, nine runs, cold", r.nine.median(), false)
	s.claimServerless(r)
}

func (s *serverlessBed) claimServerless(r serverlessResults) {
	pair, all := r.pair.median(), r.all.median()
	samPair, samAll := r.samPair.median(), r.samAll.median() // for the same images as the published pipeline
	fmt.Printf("  without the step that installs packages from Debian's mirror, the published Dockerfiles take %s samforge\n",
		ratio(r.withoutDebian.median(), samPair))
	overFloor := quotient(pair, r.irreducible.median())
	s.claim(overFloor <= 1.3, "a pair takes at most 1.3x its irreducible part", fmt.Sprintf("%.2fx", overFloor))
	faster := quotient(r.published.median(), samPair)
	s.claim(faster >= 2, "the published Dockerfiles of a pair take at least 2x samforge", fmt.Sprintf("%.1fx", faster))
	// How many pairs the 18 images cost depends on the machine: they compress three times as much,
	// and on two processors that alone is more than 1.4x.
	overPair, floorOverPair := quotient(all, pair), quotient(r.floorOfAll.median(), r.irreducible.median())
	s.claim(overPair <= 1.1*floorOverPair, "18 images take at most 1.1x as many pairs as their irreducible part does",
		fmt.Sprintf("%.2fx a pair, the irreducible part %.2fx", overPair, floorOverPair))
	overSAM := quotient(pair, samPair)
	s.claim(overSAM <= 0.8, "with a Lambda base image as node image a pair takes at most 0.8x what it takes with a SAM image", fmt.Sprintf("%.2fx", overSAM))
	overSAM = quotient(all, samAll)
	s.claim(overSAM <= 0.75, "with Lambda base images as node images 18 images take at most 0.75x what they take with SAM images", fmt.Sprintf("%.2fx", overSAM))
	overFloor = quotient(all, r.floorOfAll.median())
	s.claim(overFloor <= 1.3, "18 images take at most 1.3x their irreducible part", fmt.Sprintf("%.2fx", overFloor))
	fasterAll := quotient(r.nine.median(), samAll)
	s.claim(fasterAll >= 12, "nine runs of the published pipeline take at least 12x the 18 images", fmt.Sprintf("%.1fx", fasterAll))
	s.claim(r.pulled == 0, "0 layers of runtime images are pulled", fmt.Sprint(r.pulled))
	s.claimBelow("samforge plan of the 18 images", r.plan.median(), time.Second)
	s.claim(r.planned == 0, "a plan pulls 0 layers", fmt.Sprint(r.planned))
	s.claim(r.npm == 1, "for 18 images npm runs once", fmt.Sprint(r.npm))
	s.claim(r.onFramework.npm == 1 && r.onFramework.pulled == 0 && r.onFramework.uploaded == 2,
		"another version of the framework needs npm, and one layer and a config pushed", r.onFramework.String())
	s.claim(r.onRuntime.npm == 0 && r.onRuntime.pulled == 0, "another version of the runtime image needs no npm and pulls nothing", r.onRuntime.String())
	s.claim(sameDigests(r.digests), "cold builds give the same digests", fmt.Sprintf("%d builds of %d images", len(r.digests), len(r.digests[0])))
	s.claim(r.sizes.layer < r.publishedSizes.layer, "the framework's layer is smaller than the published one",
		megabytes(r.sizes.layer)+" MB and "+megabytes(r.publishedSizes.layer)+" MB")
}

func (w work) String() string {
	return fmt.Sprintf("npm %dx, %d layers pulled, %d blobs pushed", w.npm, w.pulled, w.uploaded)
}

// sameDigests reports whether each build gave the same eighteen images.
func sameDigests(builds [][]string) bool {
	return !slices.ContainsFunc(builds, func(images []string) bool {
		return len(images) != 18 || !slices.Equal(images, builds[0])
	})
}
