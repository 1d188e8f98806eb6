package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/samforge/samforge/integration/testenv"
)

// floorScript is the whole build as a shell script with crane.
//
//go:embed floor.sh
var floorScript string

// publishedScript is the pipeline's own text: the here-document that writes its
// Dockerfile. A shell expands it here as it does there.
//
//go:embed published.sh
var publishedScript string

//go:embed optimised.Dockerfile
var optimisedDockerfile string

func (s *oneImage) floor(ctx context.Context, _ *testenv.Buildkitd, target string, _ ...string) (result, error) {
	env, err := s.inputs()
	if err != nil {
		return result{}, err
	}
	return s.command(ctx, append(env, "FINAL_IMAGE="+target), "sh", "-c", floorScript)
}

func (s *oneImage) samforge(ctx context.Context, d *testenv.Buildkitd, target string, args ...string) (result, error) {
	return s.build(ctx, d.Addr, strings.TrimSuffix(target, ":1"), append(append(oneImageArgs(s.name), "--tag", target), args...)...)
}

func (s *oneImage) published(ctx context.Context, d *testenv.Buildkitd, target string, args ...string) (result, error) {
	dockerfile, err := s.publishedDockerfile(ctx)
	if err != nil {
		return result{}, err
	}
	return s.buildctl(ctx, d, dockerfile, target, args...)
}

var dockerInstallStep = regexp.MustCompile(`(?m)^RUN if command -v apt-get .*$`)

// publishedWithoutDocker leaves out the one step that depends on the speed of Debian's mirror.
func (s *oneImage) publishedWithoutDocker(ctx context.Context, d *testenv.Buildkitd, target string, args ...string) (result, error) {
	dockerfile, err := s.publishedDockerfile(ctx)
	if err != nil {
		return result{}, err
	}
	if n := len(dockerInstallStep.FindAllString(dockerfile, -1)); n != 1 {
		return result{}, fmt.Errorf("the published Dockerfile has %d steps that install Docker, not 1", n)
	}
	return s.buildctl(ctx, d, dockerInstallStep.ReplaceAllString(dockerfile, "RUN true"), target, args...)
}

func (s *oneImage) optimised(ctx context.Context, d *testenv.Buildkitd, target string, args ...string) (result, error) {
	env, err := s.inputs()
	if err != nil {
		return result{}, err
	}
	for _, variable := range env {
		args = append(args, "--opt", "build-arg:"+variable)
	}
	return s.buildctl(ctx, d, optimisedDockerfile, target, args...)
}

// inputs are the variables of the scripts and the Dockerfiles. They name the images in the registry
// that is pushed to, for a fair fight: BuildKit recognises by that name blobs that it need not
// upload.
func (s *oneImage) inputs() ([]string, error) {
	crane, err := testenv.Tool("crane")
	if err != nil {
		return nil, err
	}
	plugin, err := s.registry.Ref(testenv.SAMPlugin)
	if err != nil {
		return nil, err
	}
	docker, err := s.registry.Ref(testenv.DockerCLIImage)
	if err != nil {
		return nil, err
	}
	return []string{"CRANE=" + crane, "SAM_BASE_IMAGE=" + s.base, "HARNESS_BASE_IMAGE=" + plugin,
		"DOCKER_IMAGE=" + docker, "GO_TEMPLATE_URL=" + s.files.URL() + goTemplate}, nil
}

// publishedDockerfile expands the pipeline's here-document. It changes only the site that
// go-template comes from.
func (s *oneImage) publishedDockerfile(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp(s.dir, "published-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	env, err := s.inputs()
	if err != nil {
		return "", err
	}
	if _, err := s.commandIn(ctx, dir, env, "sh", "-c", publishedScript); err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	return strings.ReplaceAll(string(data), "https://app.harness.io", s.files.URL()), err
}

// buildctl builds and pushes a Dockerfile without a build context.
func (b *bench) buildctl(ctx context.Context, d *testenv.Buildkitd, dockerfile, target string, args ...string) (result, error) {
	program, err := testenv.Tool("buildctl")
	if err != nil {
		return result{}, err
	}
	dir, err := os.MkdirTemp(b.dir, "context-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return result{}, err
	}
	args = append([]string{"--addr", d.Addr, "build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.",
		"--progress", "plain", "--output", "type=image,name=" + target + ",push=true"}, args...)
	return b.commandIn(ctx, dir, nil, program, args...)
}

const (
	entrypoint = "/opt/harness/scripts/sam-plugin.sh"
	dockerPath = "/usr/local/bin/docker"
)

// check checks that an image has the entrypoint and exactly the files of the first one, the one of
// the registry floor.
func (s *oneImage) check(ctx context.Context, ref string, withDocker bool) error {
	image, err := s.registry.ReadImage(ctx, ref, "linux/amd64", testenv.OnlyLayers(s.baseCount))
	if err != nil {
		return err
	}
	if c := image.Config; len(c.Entrypoint) != 1 || c.Entrypoint[0] != entrypoint || len(c.Cmd) != 0 {
		return fmt.Errorf("the image has the entrypoint %q and the command %q", c.Entrypoint, c.Cmd)
	}
	first := s.want == nil
	if first {
		s.want = map[string][]byte{}
	}
	programs := []string{"/opt/harness/bin/harness-sam-plugin", entrypoint, "/opt/harness/client-tools/go-template"}
	if withDocker {
		programs = append(programs, dockerPath)
	}
	for _, name := range append(programs, "/opt/harness/scripts/lib/common.sh") {
		data, err := image.ReadFile(name)
		if err != nil {
			return err
		}
		if first {
			s.want[name] = data
		}
		if !bytes.Equal(data, s.want[name]) {
			return fmt.Errorf("%s is not the same file as in the first image", name)
		}
	}
	for _, name := range programs {
		if image.Files[name].Mode&0o111 == 0 {
			return fmt.Errorf("%s is not executable", name)
		}
	}
	return nil
}

// publishedOnDocker builds and pushes the published Dockerfile as its pipeline does: with a Docker
// engine that starts empty, here without the container around it.
func (s *oneImage) publishedOnDocker(ctx context.Context, _ *testenv.Buildkitd, target string, _ ...string) (r result, err error) {
	dir, err := s.writePublished(ctx)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	engine, err := testenv.StartDockerd(ctx, testenv.DockerdOptions{InMemory: true})
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	config, err := s.dockerConfig()
	if err != nil {
		return result{}, err
	}
	env := []string{"DOCKER_HOST=" + engine.Host, "DOCKER_CONFIG=" + config}
	return s.inTurn(ctx, dir, env, []string{"docker", "build", "--network", "host", "--tag", target, "."}, []string{"docker", "push", target})
}

// publishedOnBuildah does the same with buildah and an empty storage.
func (s *oneImage) publishedOnBuildah(ctx context.Context, _ *testenv.Buildkitd, target string, _ ...string) (r result, err error) {
	dir, err := s.writePublished(ctx)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return s.byBuildah(ctx, dir, target)
}

// writePublished writes the published Dockerfile into its own folder.
func (s *oneImage) writePublished(ctx context.Context) (dir string, err error) {
	dockerfile, err := s.publishedDockerfile(ctx)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(s.dir, "context-"); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644)
}

// inTurn runs programs one after the other in a folder and returns their total time.
func (b *bench) inTurn(ctx context.Context, dir string, env []string, commands ...[]string) (all result, err error) {
	for _, command := range commands {
		r, err := b.commandIn(ctx, dir, env, command[0], command[1:]...)
		if err != nil {
			return all, err
		}
		all.wall += r.wall
	}
	return all, nil
}

// byBuildah builds the Dockerfile of a folder and pushes the image, with buildah and an empty storage.
func (b *bench) byBuildah(ctx context.Context, dir, target string) (r result, err error) {
	config, err := b.dockerConfig()
	if err != nil {
		return result{}, err
	}
	storage, err := os.MkdirTemp(testenv.MemoryDir, "buildah-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(storage)) }()
	buildah := []string{"buildah", "--root", filepath.Join(storage, "root"), "--runroot", filepath.Join(storage, "run"), "--storage-driver", "overlay"}
	return b.inTurn(ctx, dir, []string{"DOCKER_CONFIG=" + config},
		append(slices.Clone(buildah), "build", "--tls-verify=false", "--isolation", "chroot", "--network", "host", "--tag", target, "."),
		append(slices.Clone(buildah), "push", "--tls-verify=false", target))
}
