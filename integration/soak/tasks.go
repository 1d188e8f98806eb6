package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/samforge/samforge/integration/testenv"
)

// task is one thing that people do with samforge.
type task struct {
	name string
	// command returns the arguments and variables of a run on a builder that pushes to a repository.
	command func(builder *builder, repository string) (args, env []string)
	code    int    // its exit code without faults
	printed string // and its output, see run.printed
}

const samFile = `kind: sam
plugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2}
docker: {version: 28.5.2}
goTemplate: {version: v0.4.15}
runtimes:
  - image: ` + testenv.Node22Base + `
  - image: ` + testenv.Python312Base + `
`

const goTemplatePath = "/public/shared/tools/go-template/release/v0.4.15/bin/linux/"

// prepare publishes the images that the tasks need and writes their files.
func (s *soak) prepare(ctx context.Context) error {
	set, err := testenv.StandIns(ctx, testenv.StandInOptions{})
	if err != nil {
		return err
	}
	if err := s.registry.PublishAll(set); err != nil {
		return err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		binary, err := testenv.Executable(ctx, "go-template", arch, "v0.4.15")
		if err != nil {
			return err
		}
		s.files.Add(goTemplatePath+arch+"/go-template", binary)
	}
	if err := s.write(map[string]string{"sam/samforge.yaml": samFile}); err != nil {
		return err
	}
	s.tasks = []*task{
		{name: "build SAM images", command: func(b *builder, repository string) (args, env []string) {
			return s.build(b, "-f", s.work("sam/samforge.yaml"), "--repo", repository, "--push"), nil
		}},
	}
	return nil
}

// work returns the path of a file of the tasks.
func (s *soak) work(name string) string { return filepath.Join(s.dir, "work", name) }

func (s *soak) write(files map[string]string) error {
	for name, text := range files {
		path := s.work(name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// build returns the arguments of samforge build.
func (s *soak) build(b *builder, args ...string) []string {
	return append([]string{
		"build", "--progress", "plain", "--builder", b.relay.Addr, "--mirror", "https://app.harness.io/=" + s.files.URL() + "/",
		"--mirror", "public.ecr.aws=" + s.relay.Addr + "/ecr", "--mirror", "docker.io=" + s.relay.Addr + "/hub",
	}, args...)
}
