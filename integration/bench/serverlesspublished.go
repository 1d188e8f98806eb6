package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

// publishedServerlessScript is the pipeline's own text: the here-documents that
// write its Dockerfile, for the image with the framework if SERVERLESS_VERSION is
// not empty. A shell expands them here as it does there.
//
//go:embed published-serverless.sh
var publishedServerlessScript string

// publishedRun is a run of the published pipeline: two images.
type publishedRun struct {
	wall   time.Duration // of both
	debian time.Duration // time of the steps that install packages from Debian's mirror
}

// runPublished builds and pushes the image without the framework and then the one with it, on the
// same BuildKit, as the pipeline does. They are target:base and target:serverless.
func (s *serverlessBed) runPublished(ctx context.Context, d *testenv.Buildkitd, p pair, version, target string, cache registryCache) (publishedRun, error) {
	var run publishedRun
	for _, image := range []struct{ variant, version string }{{"base", ""}, {"serverless", version}} {
		dockerfile, err := s.publishedServerless(ctx, image.version)
		if err != nil {
			return run, err
		}
		args, err := s.publishedArgs(p)
		if err != nil {
			return run, err
		}
		built, err := s.buildctl(ctx, d, dockerfile, target+":"+image.variant, append(args, cache.buildctl(image.variant)...)...)
		if err != nil {
			return run, fmt.Errorf("the %s image: %w", image.variant, err)
		}
		run.wall += built.wall
		for _, step := range readSteps(built.stderr) {
			if strings.Contains(step.name, "command -v apt-get") {
				run.debian += step.took
			}
		}
	}
	return run, nil
}

// publishedArgs name the images in the registry that is pushed to, for a fair fight: BuildKit
// recognises by that name blobs that it need not upload.
func (s *serverlessBed) publishedArgs(p pair) (args []string, err error) {
	for name, ref := range map[string]string{"RUNTIME_BASE_IMAGE_VERSION": p.image, "NODEJS_BASE_IMAGE_VERSION": p.node} {
		image, err := s.registry.Ref(ref)
		if err != nil {
			return nil, err
		}
		args = append(args, "--opt", "build-arg:"+name+"="+image)
	}
	return args, nil
}

// npmVariable is added to the published Dockerfile, below a variable that it sets anyway. It sets
// npm's registry.
const npmVariable = "ENV UNIFIED_PIPELINE=false\n"

// publishedServerless expands the pipeline's here-documents. In the result it changes only the two
// download sites, and sets npm's registry.
func (s *serverlessBed) publishedServerless(ctx context.Context, version string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, "published-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	plugin, err := s.registry.Ref(testenv.ServerlessPlugin)
	if err != nil {
		return "", err
	}
	env := []string{"HARNESS_BASE_IMAGE=" + plugin, "SERVERLESS_VERSION=" + version}
	if _, err := s.commandIn(ctx, dir, env, "sh", "-c", publishedServerlessScript); err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"https://app.harness.io", s.files.URL(),
		"https://download.docker.com", s.files.URL(),
		npmVariable, npmVariable+"ENV npm_config_registry="+s.npm.URL()+"\n",
	).Replace(string(data)), nil
}
