package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// doorsResults are the rows of the section.
type doorsResults struct {
	coldCommand, coldFrontend samples // on an empty buildkitd
	warmCommand, warmFrontend samples // once more
	calls                     map[string]samples
	callLayers                int // pulled for calls, except the frontend's
}

// calls are the requests that do not build.
var calls = []string{"outline", "targets", "check"}

// doors is the section on the cost of the frontend: it builds the same image with the command and
// with docker buildx build.
func (b *bench) doors(ctx context.Context) error {
	const base = "public.ecr.aws/sam/build-nodejs22.x:1.146.0-20251002000000-x86_64"
	if err := b.publish(ctx, base, "nodejs22.x", "1.146.0", smallBase); err != nil {
		return err
	}
	x, err := b.newBuildx(ctx, base)
	if err != nil {
		return err
	}
	r := doorsResults{calls: map[string]samples{}}
	for i := range b.runs {
		if err := x.once(ctx, &r, i); err != nil {
			return err
		}
		b.say("doors %d/%d: cold %s and %s, warm %s and %s", i+1, b.runs, seconds(r.coldCommand[i]), seconds(r.coldFrontend[i]),
			seconds(r.warmCommand[i]), seconds(r.warmFrontend[i]))
	}
	b.reportDoors(r)
	return nil
}

// buildxClient is the docker CLI with buildx, and a folder to build.
type buildxClient struct {
	*bench
	frontend string // reference of the frontend's image
	folder   string // with the build file
	config   string // of the docker CLI
}

// dockerConfig makes a docker CLI configuration with buildx.
func (b *bench) dockerConfig() (dir string, err error) {
	plugin, err := testenv.Tool("buildx")
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(b.dir, "docker-"); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600); err != nil { // buildah requires it
		return "", err
	}
	plugins := filepath.Join(dir, "cli-plugins")
	if err := os.Mkdir(plugins, 0o700); err != nil {
		return "", err
	}
	return dir, os.Symlink(plugin, filepath.Join(plugins, "docker-buildx"))
}

// newBuildx makes the frontend's image and a folder with a build file of one
// base image.
func (b *bench) newBuildx(ctx context.Context, base string) (*buildxClient, error) {
	x := &buildxClient{bench: b, frontend: b.registry.Addr + "/samforge-frontend:1"}
	b.say("making the frontend's image")
	if out, err := exec.CommandContext(ctx, "make", "frontend-image", "FRONTEND_IMAGE="+x.frontend, "BUILDKIT_HOST=").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make frontend-image: %w\n%s", err, tail(string(out), 10))
	}
	var err error
	if x.config, err = b.dockerConfig(); err != nil {
		return nil, err
	}
	x.folder = filepath.Join(b.dir, "folder")
	if err := os.MkdirAll(x.folder, 0o700); err != nil {
		return nil, err
	}
	var file strings.Builder
	fmt.Fprintf(&file, "# syntax=%s\nkind: sam\nplugin: {image: %q, version: 1.1.2}\ngoTemplate: {version: v0.4.5}\nruntimes: [{image: %q}]\nmirrors:\n",
		x.frontend, testenv.SAMPlugin, base)
	fmt.Fprintf(&file, "  https://app.harness.io/: %s/\n", b.files.URL())
	for from, to := range b.registry.Mirrors() {
		fmt.Fprintf(&file, "  %s: %s\n", from, to)
	}
	return x, os.WriteFile(filepath.Join(x.folder, "samforge.yaml"), []byte(file.String()), 0o600)
}

// docker runs the docker CLI in the folder.
func (x *buildxClient) docker(ctx context.Context, args ...string) (result, error) {
	return x.commandIn(ctx, x.folder, []string{"DOCKER_CONFIG=" + x.config, "BUILDX_CONFIG=" + x.config + "/buildx", "BUILDX_NO_DEFAULT_ATTESTATIONS=1"}, "docker", args...)
}

// use makes buildx build on a buildkitd.
func (x *buildxClient) use(ctx context.Context, name string, d *testenv.Buildkitd) error {
	_, err := x.docker(ctx, "buildx", "create", "--name", name, "--driver", "remote", "--use", d.Addr)
	return err
}

func (x *buildxClient) once(ctx context.Context, r *doorsResults, i int) error {
	file := filepath.Join(x.folder, "samforge.yaml")
	err := x.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		for _, into := range []*samples{&r.coldCommand, &r.warmCommand} {
			built, err := x.command(ctx, nil, x.samforge, "build", "--push", "--builder", d.Addr, "-f", file, "--progress", "plain", "-t", x.repo("doors-command-%d:1", i))
			if err != nil {
				return err
			}
			*into = append(*into, built.wall)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.onFreshBuildkitd(ctx, testenv.BuildkitdOptions{}, func(d *testenv.Buildkitd) error {
		if err := x.use(ctx, fmt.Sprintf("doors-%d", i), d); err != nil {
			return err
		}
		for _, into := range []*samples{&r.coldFrontend, &r.warmFrontend} {
			built, err := x.docker(ctx, "buildx", "build", "--push", "-f", "samforge.yaml", "--progress", "plain", "-t", x.repo("doors-frontend-%d:1", i), ".")
			if err != nil {
				return err
			}
			*into = append(*into, built.wall)
		}
		x.registry.Reset()
		for _, call := range calls {
			// Findings would make the check exit with 1.
			asked, err := x.docker(ctx, "buildx", "build", "-f", "samforge.yaml", "--call="+call, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", ".")
			if err != nil {
				return err
			}
			r.calls[call] = append(r.calls[call], asked.wall)
		}
		for _, p := range x.registry.Pulls() {
			if p.Kind == "layer" && p.Repository != "samforge-frontend" {
				r.callLayers++
			}
		}
		return nil
	})
}

func (b *bench) reportDoors(r doorsResults) {
	row := func(wall, other samples, what string) []string {
		return []string{ratio(wall.median(), other.median()), seconds(wall.median()), wall.String(), what}
	}
	table := [][]string{
		row(r.coldCommand, r.coldCommand, "samforge build --push, empty buildkitd"),
		row(r.coldFrontend, r.coldCommand, "docker buildx build --push, empty buildkitd, the frontend's image pulled too"),
		row(r.warmCommand, r.warmCommand, "samforge build --push, once more"),
		row(r.warmFrontend, r.warmCommand, "docker buildx build --push, once more"),
	}
	for _, call := range calls {
		table = append(table, row(r.calls[call], r.warmCommand, "docker buildx build --call="+call))
	}
	b.figure("two doors", "samforge build, cold", r.coldCommand.median(), true)
	b.figure("two doors", "docker buildx build, cold", r.coldFrontend.median(), false)
	printTable("Two doors", "One SAM image through the command and through the frontend, on the same kind of buildkitd.",
		[]string{"X COMMAND", "WALL", "MIN-MAX", ""}, table)
	b.claimBelow("the frontend's overhead on an empty buildkitd, its pull included,", r.coldFrontend.median()-r.coldCommand.median(), 2*time.Second)
	b.claimBelow("the frontend's overhead once more", r.warmFrontend.median()-r.warmCommand.median(), 700*time.Millisecond)
	for _, call := range calls {
		b.claimBelow("--call="+call, r.calls[call].median(), time.Second)
	}
	b.claim(r.callLayers == 0, "no layer is pulled for them", fmt.Sprint(r.callLayers))
}
