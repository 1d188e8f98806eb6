package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// stepProject is a project whose multi-stage Dockerfile a step of a pipeline builds and pushes.
type stepProject struct {
	*bench
	name, folder, config string
}

// stepResults are the rows of one project.
type stepResults struct {
	engine, buildah, cold samples // cold, pushed
	cached                samples // unchanged, on an empty builder with a cache in the registry
	engineAgain           samples // unchanged, on an empty engine, which has no cache
	cachedRan             int     // RUN steps
}

// steps is the section on the Build and Push step: any Dockerfile, here one of Go and one of Node.js.
func (b *bench) steps(ctx context.Context) (err error) {
	b.say("making the images that Go and Node.js programs are built from")
	bases, err := testenv.FunctionBases(ctx)
	if err != nil {
		return err
	}
	if err := b.registry.PublishAll(bases); err != nil {
		return err
	}
	npm, err := testenv.StartNPMRegistry(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, npm.Close()) }()
	for _, project := range []func() (*stepProject, error){b.goProject, func() (*stepProject, error) { return b.nodeProject(npm.URL()) }} {
		p, err := project()
		if err != nil {
			return err
		}
		var r stepResults
		for i := range b.runs {
			for _, measure := range []func(context.Context, *stepResults, int) error{p.byEngine, p.withBuildah, p.byStep} {
				if err := measure(ctx, &r, i); err != nil {
					return err
				}
			}
			b.say("step, %s %d/%d: engine %s, samforge %s, again %s", p.name, i+1, b.runs, seconds(r.engine[i]), seconds(r.cold[i]), seconds(r.cached[i]))
		}
		p.report(r)
	}
	return b.startUp(ctx)
}

// goProject is a web server in Go, of the standard library alone.
func (b *bench) goProject() (*stepProject, error) {
	golang, err := b.registry.Ref(testenv.GoImage)
	if err != nil {
		return nil, err
	}
	base, err := b.registry.Ref(testenv.ProvidedFunctionBase)
	if err != nil {
		return nil, err
	}
	return b.stepProject("Go", map[string]string{
		"go.mod":     "module example.com/server\n\ngo 1.26\n",
		"main.go":    "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc main() {\n\thttp.HandleFunc(\"/\", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, \"hello\") })\n\t_ = http.ListenAndServe(\":8080\", nil)\n}\n",
		"Dockerfile": "FROM " + golang + " AS build\nWORKDIR /src\nCOPY go.mod ./\nCOPY *.go ./\nRUN CGO_ENABLED=0 go build -trimpath -o /server .\nFROM " + base + "\nCOPY --from=build /server /server\nENTRYPOINT [\"/server\"]\n",
	})
}

// nodeProject is a program in Node.js whose dependencies a stage of its own installs from a registry.
func (b *bench) nodeProject(npm string) (*stepProject, error) {
	base, err := b.registry.Ref(testenv.NodeFunctionBase)
	if err != nil {
		return nil, err
	}
	return b.stepProject("Node.js", map[string]string{
		"package.json": `{"name": "server", "version": "1.0.0", "dependencies": {"express": "5.1.0"}}` + "\n",
		"app.mjs":      "import express from 'express';\nexpress().listen(8080);\n",
		".npmrc":       "registry=" + npm + "/\nupdate-notifier=false\n",
		"Dockerfile": "FROM " + base + " AS build\nWORKDIR /src\nCOPY package.json .npmrc ./\nRUN npm install --omit=dev --no-audit --no-fund\nFROM " + base +
			"\nCOPY --from=build /src/node_modules /app/node_modules\nCOPY app.mjs /app/\nENTRYPOINT [\"node\", \"/app/app.mjs\"]\n",
	})
}

func (b *bench) stepProject(name string, files map[string]string) (*stepProject, error) {
	p := &stepProject{bench: b, name: name, folder: filepath.Join(b.dir, "step-"+strings.ToLower(name))}
	for file, text := range files {
		path := filepath.Join(p.folder, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return nil, err
		}
	}
	var err error
	p.config, err = b.dockerConfig()
	return p, err
}

// byEngine builds and pushes with an empty Docker engine, as a step with a Docker daemon does; twice,
// as such a step has an empty engine each time.
func (p *stepProject) byEngine(ctx context.Context, r *stepResults, i int) error {
	for again, into := range []*samples{&r.engine, &r.engineAgain} {
		engine, err := testenv.StartDockerd(ctx, testenv.DockerdOptions{InMemory: true})
		if err != nil {
			return err
		}
		ref := p.repo("step-engine-%d-%d:%s", i, again, strings.ToLower(p.name))
		env := []string{"DOCKER_HOST=" + engine.Host, "DOCKER_CONFIG=" + p.config, "BUILDX_CONFIG=" + p.config + "/buildx", "DOCKER_BUILDKIT=0"}
		done, err := p.inTurn(ctx, p.folder, env, []string{"docker", "build", "--network", "host", "-t", ref, "."}, []string{"docker", "push", ref})
		if err := errors.Join(err, engine.Close()); err != nil {
			return err
		}
		*into = append(*into, done.wall)
	}
	return nil
}

// withBuildah builds and pushes with buildah, if it is installed.
func (p *stepProject) withBuildah(ctx context.Context, r *stepResults, i int) error {
	if _, err := exec.LookPath("buildah"); err != nil {
		return nil
	}
	done, err := p.byBuildah(ctx, p.folder, p.repo("step-buildah-%d:%s", i, strings.ToLower(p.name)))
	r.buildah = append(r.buildah, done.wall)
	return err
}

// byStep builds and pushes with the step: cold, then on an empty builder with the cache in the
// registry.
func (p *stepProject) byStep(ctx context.Context, r *stepResults, i int) error {
	step := func(tag string, settings ...string) (done result, err error) {
		err = p.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) (err error) {
			env := append([]string{
				"BUILDKIT_HOST=" + d.Addr, "DOCKER_CONFIG=" + p.config,
				"PLUGIN_REPO=" + p.repo("step-%d-%s", i, strings.ToLower(p.name)), "PLUGIN_TAGS=" + tag,
			}, settings...)
			done, err = p.commandIn(ctx, p.folder, env, p.samforge)
			return err
		})
		return done, err
	}
	done, err := step("cold")
	if err != nil {
		return err
	}
	r.cold = append(r.cold, done.wall)
	if _, err := step("cache", "PLUGIN_ENABLE_CACHE=true"); err != nil {
		return err
	}
	if done, err = step("again", "PLUGIN_ENABLE_CACHE=true"); err != nil {
		return err
	}
	r.cached, r.cachedRan = append(r.cached, done.wall), ran(done.stderr)
	return nil
}

func (p *stepProject) report(r stepResults) {
	ours := r.cold.median()
	row := func(of samples, what string) []string {
		return []string{ratio(of.median(), ours), seconds(of.median()), of.String(), what}
	}
	rows := [][]string{row(r.engine, "docker build and docker push, cold")}
	best := r.engine.median()
	if len(r.buildah) > 0 {
		rows = append(rows, row(r.buildah, "buildah build and push, cold"))
		best = min(best, r.buildah.median())
	}
	rows = append(rows, row(r.cold, "samforge plugin, cold"),
		row(r.engineAgain, "docker build and docker push, unchanged, on another empty engine"),
		row(r.cached, fmt.Sprintf("samforge plugin, unchanged, empty builder, cache in the registry (%d RUN steps run)", r.cachedRan)))
	printTable("Build and Push, "+p.name, "A multi-stage Dockerfile of "+p.name+", built and pushed by a step of a pipeline.", []string{"X COLD", "WALL", "MIN-MAX", ""}, rows)
	p.claim(float64(ours) <= 1.05*float64(best), p.name+": cold, the step is as fast as the best other way", fmt.Sprintf("%.2fx", quotient(ours, best)))
	again := min(best, r.engineAgain.median())
	over := quotient(again, r.cached.median())
	p.claim(over >= 5, p.name+": unchanged on an empty builder with a cache, other ways take at least 5x", fmt.Sprintf("%.1fx", over))
	p.claim(r.cachedRan == 0, p.name+": unchanged, no RUN step is run", fmt.Sprint(r.cachedRan))
}

// startUp measures a whole step that builds next to nothing, with a buildkitd of its own.
func (b *bench) startUp(ctx context.Context) error {
	p, err := b.stepProject("nothing", map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	if err != nil {
		return err
	}
	var walls samples
	for range b.runs {
		home, err := os.MkdirTemp(b.dir, "home-")
		if err != nil {
			return err
		}
		done, err := p.commandIn(ctx, p.folder, []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "BUILDKIT_HOST=private://", "PLUGIN_REPO=example.com/nothing", "PLUGIN_NO_PUSH=true"}, p.samforge)
		if err != nil {
			return err
		}
		walls = append(walls, done.wall)
	}
	b.claimBelow("a whole step that builds next to nothing, with its own buildkitd", walls.median(), time.Second)
	return nil
}
