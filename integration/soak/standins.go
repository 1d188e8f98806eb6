package main

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

const (
	goTemplatePath = "/public/shared/tools/go-template/release/v0.4.15/bin/linux/"
	cdkPlugin      = "docker.io/harness/aws-cdk-plugin:1.0.0-base"
)

// publish publishes what the tasks build from.
func (s *soak) publish(ctx context.Context) error {
	for _, make := range []func(context.Context) (testenv.Set, error){
		func(ctx context.Context) (testenv.Set, error) { return testenv.StandIns(ctx, testenv.StandInOptions{}) },
		func(ctx context.Context) (testenv.Set, error) {
			return testenv.ServerlessBases(ctx, testenv.ServerlessOptions{})
		},
		testenv.FunctionBases,
		cdkPlugins,
	} {
		set, err := make(ctx)
		if err != nil {
			return err
		}
		if err := s.registry.PublishAll(set); err != nil {
			return err
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		binary, err := testenv.Executable(ctx, "go-template", arch, "v0.4.15")
		if err != nil {
			return err
		}
		s.files.Add(goTemplatePath+arch+"/go-template", binary)
	}
	program, err := testenv.Executable(ctx, "go-template", "amd64", "v1")
	if err != nil {
		return err
	}
	base, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{{Files: []testenv.File{{Path: "program", Mode: 0o755, Data: program}}}}})
	if err != nil {
		return err
	}
	_, err = s.registry.Push(s.registry.Addr+"/base/program:1", base)
	return err
}

func cdkPlugins(ctx context.Context) (testenv.Set, error) {
	var images []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := testenv.PluginImage(ctx, testenv.PluginOptions{Kind: "cdk", Version: "1.0.0", Arch: arch})
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return testenv.Set{cdkPlugin: images}, nil
}

// publishFunction pushes the image of a function that is invoked by its name in the registry.
func (s *soak) publishFunction(ctx context.Context) error {
	r := s.newRun(&task{name: "the image of a function", command: s.builds(func(*run) []string {
		return []string{"-f", template, "--target", "Good", "--push", "-t", s.relay.Addr + "/base/function:1"}
	})}, s.builders[0])
	s.do(ctx, r)
	r.prints = r.printed()
	return r.failure()
}
