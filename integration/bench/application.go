package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// application is a SAM application of five functions: four share a folder of 60 MB in 3,000 files,
// each with its own Dockerfile, and one is small.
type application struct {
	*bench
	folder string
	base   string // reference of the base image in the registry
	config string // of the docker CLI
}

const (
	sharedFiles   = 3000
	sharedSize    = 60 << 20
	functionsBase = "public.ecr.aws/lambda/python:3.13"
	appRuntime    = 120 << 20 // bytes of the base image, compressed to half
	small         = "SmallFunction"
)

// functions are the names of the functions; all but the last share a folder.
func functions() []string {
	return []string{"OneFunction", "TwoFunction", "ThreeFunction", "FourFunction", small}
}

// applicationResults are the rows of the section.
type applicationResults struct {
	engine, bake, cold       samples // cold, pushed
	bakeCached, cached       samples // unchanged, on an empty builder with a cache in the registry
	tagged, changed          samples // unchanged, and one function changed, with the tags in the registry
	planned                  samples // a hundred functions that share the folder
	bakePulled, cachedPulled int     // layers
	bakeRan, cachedRan       int     // RUN steps
	changedPuts              int     // manifests pushed after one function changed
}

// applications is the section on SAM applications.
func (b *bench) applications(ctx context.Context) error {
	a, err := b.newApplication(ctx)
	if err != nil {
		return err
	}
	var r applicationResults
	for i := range b.runs {
		for _, measure := range []func(context.Context, *applicationResults, int) error{a.byEngine, a.byBake, a.bySamforge} {
			if err := measure(ctx, &r, i); err != nil {
				return err
			}
		}
		b.say("application %d/%d: engine %s, bake %s, samforge %s; with a cache bake %s, samforge %s; by its tag %s", i+1, b.runs,
			seconds(r.engine[i]), seconds(r.bake[i]), seconds(r.cold[i]), seconds(r.bakeCached[i]), seconds(r.cached[i]), seconds(r.tagged[i]))
	}
	b.reportApplication(r)
	return nil
}

func (b *bench) newApplication(ctx context.Context) (*application, error) {
	b.say("making an application, and a base image for its functions")
	a := &application{bench: b, folder: filepath.Join(b.dir, "application")}
	debian, err := testenv.DebianRoot(ctx, "bookworm")
	if err != nil {
		return nil, err
	}
	image, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{debian, {Programs: 2 * appRuntime, Blob: "python3.13"}}})
	if err != nil {
		return nil, err
	}
	if _, err := b.registry.Push(functionsBase, image); err != nil {
		return nil, err
	}
	if a.base, err = b.registry.Ref(functionsBase); err != nil {
		return nil, err
	}
	if a.config, err = b.dockerConfig(); err != nil {
		return nil, err
	}
	return a, a.write()
}

// write writes the application: its folders, Dockerfiles and template.
func (a *application) write() error {
	template := "Resources:\n"
	for _, name := range functions() {
		folder := a.contextOf(name)
		template += fmt.Sprintf("  %s:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: %s.Dockerfile, DockerContext: ./%s}\n",
			name, name, folder)
		dockerfile := fmt.Sprintf("FROM %s\nWORKDIR /var/task\nCOPY app.py ./\nRUN echo %s >made\nCOPY . ./\nENTRYPOINT [\"/usr/bin/env\"]\nCMD [\"app.handler\"]\n", a.base, name)
		if err := a.file(filepath.Join(folder, name+".Dockerfile"), []byte(dockerfile)); err != nil {
			return err
		}
		if err := a.file(filepath.Join(folder, "app.py"), []byte("def handler(event, context): return 'hello'\n")); err != nil {
			return err
		}
	}
	random := rand.NewChaCha8([32]byte{})
	half := make([]byte, sharedSize/sharedFiles/2)
	for i := range sharedFiles {
		_, _ = random.Read(half) // never fails
		if err := a.file(fmt.Sprintf("shared/lib/package%02d/file%d", i%60, i), bytes.Repeat(half, 2)); err != nil {
			return err
		}
	}
	return a.file("template.yaml", []byte(template))
}

func (a *application) contextOf(name string) string {
	if name == small {
		return "small"
	}
	return "shared"
}

func (a *application) file(name string, data []byte) error {
	path := filepath.Join(a.folder, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644))
}

// docker runs the docker CLI in the application's folder.
func (a *application) docker(ctx context.Context, env []string, args ...string) (result, error) {
	env = append(env, "DOCKER_CONFIG="+a.config, "BUILDX_CONFIG="+a.config+"/buildx", "BUILDX_NO_DEFAULT_ATTESTATIONS=1")
	return a.commandIn(ctx, a.folder, env, "docker", args...)
}

// byEngine builds and pushes one function after the other on an empty Docker engine, as SAM does.
func (a *application) byEngine(ctx context.Context, r *applicationResults, i int) (err error) {
	engine, err := testenv.StartDockerd(ctx, testenv.DockerdOptions{InMemory: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	env := []string{"DOCKER_HOST=" + engine.Host, "DOCKER_BUILDKIT=0"}
	var wall time.Duration
	for _, name := range functions() {
		ref := a.repo("engine-%d:%s", i, strings.ToLower(name))
		for _, args := range [][]string{{"build", "-t", ref, "-f", filepath.Join(a.contextOf(name), name+".Dockerfile"), a.contextOf(name)}, {"push", ref}} {
			done, err := a.docker(ctx, env, args...)
			if err != nil {
				return err
			}
			wall += done.wall
		}
	}
	r.engine = append(r.engine, wall)
	return nil
}

// byBake builds with docker buildx bake: cold, then with a cache in the registry on an empty
// builder.
func (a *application) byBake(ctx context.Context, r *applicationResults, i int) error {
	bake := func(caches ...string) func(*testenv.Buildkitd) error {
		return func(d *testenv.Buildkitd) error {
			file, err := a.bakeFile(i, caches...)
			if err != nil {
				return err
			}
			builder := fmt.Sprintf("application-%d-%s", i, strings.Join(caches, "-"))
			if _, err := a.docker(ctx, nil, "buildx", "create", "--name", builder, "--driver", "remote", "--use", d.Addr); err != nil {
				return err
			}
			a.registry.Reset()
			done, err := a.docker(ctx, nil, "buildx", "bake", "--push", "--progress", "plain", "-f", file, "--allow", "fs.read=*")
			switch {
			case err != nil:
				return err
			case len(caches) == 0:
				r.bake = append(r.bake, done.wall)
			case caches[0] == "from":
				r.bakeCached, r.bakePulled, r.bakeRan = append(r.bakeCached, done.wall), layersPulled(a.registry), ran(done.stderr)
			}
			return nil
		}
	}
	for _, caches := range [][]string{nil, {"to"}, {"from"}} {
		if err := a.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, bake(caches...)); err != nil {
			return err
		}
	}
	return nil
}

// bakeFile writes a bake file for the functions, each with its own cache.
func (a *application) bakeFile(i int, caches ...string) (path string, err error) {
	targets := map[string]any{}
	for _, name := range functions() {
		target := map[string]any{
			"context": a.contextOf(name), "dockerfile": name + ".Dockerfile", "tags": []string{a.repo("bake-%d:%s", i, strings.ToLower(name))},
		}
		for _, cache := range caches {
			value := "type=registry,ref=" + a.repo("bakecache-%d:%s", i, strings.ToLower(name))
			if cache == "to" {
				value += ",mode=max"
			}
			target["cache-"+cache] = []string{value}
		}
		targets[name] = target
	}
	data, err := json.Marshal(map[string]any{"target": targets, "group": map[string]any{"default": map[string]any{"targets": functions()}}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(a.folder, "docker-bake.json")
	return path, os.WriteFile(path, data, 0o644)
}

// layersPulled returns how many layers were fetched from the registry.
func layersPulled(from *testenv.Registry) (layers int) {
	for _, pull := range from.Pulls() {
		if pull.Kind == "layer" {
			layers++
		}
	}
	return layers
}

// bySamforge packages the application: cold, with a cache on an empty builder, by its tags without a
// builder, and after a change of one function.
func (a *application) bySamforge(ctx context.Context, r *applicationResults, i int) error {
	repository, cache := a.repo("samforge-%d", i), "type=registry,ref="+a.repo("cache-%d", i)+":{{.Target}}"
	pack := func(builder string, args ...string) (result, error) {
		a.registry.Reset()
		return a.commandIn(ctx, a.folder, nil, a.samforge, append([]string{"package", "--builder", builder, "--progress", "plain",
			"--image-repository", repository, "--output-template-file", "packaged.yaml"}, args...)...)
	}
	var done result
	onFresh := func(args ...string) error {
		return a.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) (err error) {
			done, err = pack(d.Addr, args...)
			return err
		})
	}
	if err := onFresh(); err != nil {
		return err
	}
	r.cold = append(r.cold, done.wall)
	if err := onFresh("--no-skip", "--cache-to", cache+",mode=max"); err != nil {
		return err
	}
	if err := onFresh("--no-skip", "--cache-from", cache); err != nil {
		return err
	}
	r.cached, r.cachedPulled, r.cachedRan = append(r.cached, done.wall), layersPulled(a.registry), ran(done.stderr)
	done, err := pack("tcp://127.0.0.1:1") // there is none
	if err != nil {
		return err
	}
	r.tagged = append(r.tagged, done.wall)
	if err := a.file("small/app.py", fmt.Appendf(nil, "def handler(event, context): return %d\n", i)); err != nil {
		return err
	}
	if err := onFresh(); err != nil {
		return err
	}
	r.changed, r.changedPuts = append(r.changed, done.wall), a.registry.Stats().ManifestPuts
	return a.planned(ctx, r)
}

// manyFunctions is how many functions are planned.
const manyFunctions = 100

// planned plans many functions that share the folder, after a plan that fills the page cache.
func (a *application) planned(ctx context.Context, r *applicationResults) error {
	template := "Resources:\n"
	for n := range manyFunctions {
		template += fmt.Sprintf("  Function%d:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n    Metadata: {Dockerfile: %s.Dockerfile, DockerContext: ./shared}\n",
			n, functions()[n%4])
	}
	if err := a.file("many.yaml", []byte(template)); err != nil {
		return err
	}
	for warm := range 2 {
		done, err := a.commandIn(ctx, a.folder, nil, a.samforge, "plan", "-f", "many.yaml", "--repo", a.repo("planned"))
		if err != nil {
			return err
		}
		if warm == 1 {
			r.planned = append(r.planned, done.wall)
		}
	}
	return nil
}

// runSteps and cachedSteps match the progress of RUN steps, and of steps that came from a cache.
var (
	runSteps    = regexp.MustCompile(`(?m)^#(\d+) \[[^\]]*\] RUN `)
	cachedSteps = regexp.MustCompile(`(?m)^#(\d+) CACHED$`)
)

// ran returns how many RUN steps a build has run, by its progress.
func ran(progress string) int {
	steps := map[string]bool{}
	for _, m := range runSteps.FindAllStringSubmatch(progress, -1) {
		steps[m[1]] = true
	}
	for _, m := range cachedSteps.FindAllStringSubmatch(progress, -1) {
		delete(steps, m[1])
	}
	return len(steps)
}

func (b *bench) reportApplication(r applicationResults) {
	ours, cached, tagged := r.cold.median(), r.cached.median(), r.tagged.median()
	row := func(of samples, what string) []string {
		return []string{ratio(of.median(), ours), seconds(of.median()), of.String(), what}
	}
	printTable("Application", fmt.Sprintf("A SAM application of five functions on a base image of %d MB; four share a folder of 60 MB in 3,000 files. Everything is pushed.", appRuntime>>20),
		[]string{"X COLD", "WALL", "MIN-MAX", ""}, [][]string{
			row(r.engine, "Docker engine: classic builds and pushes one after the other, as sam build and sam package do, cold"),
			row(r.bake, "docker buildx bake --push, cold"),
			row(r.cold, "samforge package, cold"),
			row(r.bakeCached, fmt.Sprintf("docker buildx bake --push, unchanged, empty builder, cache in the registry (%d layers pulled, %d RUN steps run)", r.bakePulled, r.bakeRan)),
			row(r.cached, fmt.Sprintf("samforge package --no-skip, unchanged, empty builder, cache in the registry (%d layers pulled, %d RUN steps run)", r.cachedPulled, r.cachedRan)),
			row(r.changed, "samforge package, one function changed, empty builder"),
			row(r.tagged, "samforge package, unchanged, no builder"),
			row(r.planned, fmt.Sprintf("samforge plan of %d functions that share the folder", manyFunctions)),
		})
	b.figure("application of five functions", "samforge package, cold", ours, true)
	b.figure("application of five functions", "docker buildx bake --push, cold", r.bake.median(), false)
	b.figure("application of five functions", "Docker engine, one after the other, cold", r.engine.median(), false)
	b.figure("application, unchanged, empty builder, cache in the registry", "samforge package --no-skip", cached, true)
	b.figure("application, unchanged, empty builder, cache in the registry", "docker buildx bake --push", r.bakeCached.median(), false)
	b.figure("application, unchanged", "samforge package, without a builder", tagged, true)
	overBake := quotient(ours, r.bake.median())
	b.claim(overBake <= 1.15, "an application takes at most 1.15x what bake takes, cold", fmt.Sprintf("%.2fx", overBake))
	overEngine := quotient(r.engine.median(), ours)
	b.claim(overEngine >= 2.5, "a Docker engine takes at least 2.5x, cold", fmt.Sprintf("%.1fx", overEngine))
	overCached := quotient(r.bakeCached.median(), cached)
	b.claim(overCached >= 3, "unchanged with a cache, bake takes at least 3x", fmt.Sprintf("%.1fx", overCached))
	b.claim(r.cachedPulled == 0, "unchanged with a cache, no layer is pulled", fmt.Sprint(r.cachedPulled))
	b.claim(r.bakeRan > 0 && r.cachedRan == 0, "unchanged with a cache, bake runs RUN again and samforge runs nothing", fmt.Sprintf("%d and %d", r.bakeRan, r.cachedRan))
	b.claimBelow(fmt.Sprintf("%d functions planned", manyFunctions), r.planned.median(), time.Second)
	b.claimBelow("unchanged, found by its tags", tagged, 500*time.Millisecond)
	overTagged := quotient(r.engine.median(), tagged)
	b.claim(overTagged >= 40, "unchanged, a Docker engine takes at least 40x", fmt.Sprintf("%.0fx", overTagged))
	b.claim(r.changedPuts == 1, "after a change of one function, one image is pushed", fmt.Sprint(r.changedPuts))
}
