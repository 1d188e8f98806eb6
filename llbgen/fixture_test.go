package llbgen_test

// What the tests of this package share: a build file, and stand-ins for what needs I/O.

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// buildFile is the published SAM pipeline with its own inputs, on a base image that has both
// architectures.
const buildFile = `kind: sam
plugin:
  image: harness/aws-sam-plugin:1.1.2-beta-base-image
  version: 1.1.2
repo: registry.example.com/ci/aws-sam-plugin
runtimes:
  - image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138
`

// cdkFile is an image for the AWS CDK.
const cdkFile = `kind: cdk
plugin: {image: harness/aws-cdk-plugin:1.0.0-base, version: 1.0.0}
repo: registry.example.com/ci/aws-cdk-plugin
runtimes:
  - {image: 'public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415', node: '` + lambdaNode22 + `'}
`

// load reads a build file that has no mistakes; the empty one does not exist.
func load(t *testing.T, file string, args map[string]string) *llbgen.Plan {
	t.Helper()
	filename := "samforge.yaml"
	if file == "" {
		filename = ""
	}
	plan, err := llbgen.Load(filename, []byte(file), args)
	if err != nil {
		t.Fatal(err)
	}
	if err := againstSchema(t, []byte(file)); err != nil {
		t.Errorf("the schema refuses what loads: %v\n%s", err, file)
	}
	return plan
}

// loadRuntimes reads a build file with these entries under `runtimes`, each in YAML's flow style:
// "{image: …}".
func loadRuntimes(entries ...string) (*llbgen.Plan, error) {
	file, _, _ := strings.Cut(buildFile, "  - ")
	for _, entry := range entries {
		file += "  - " + entry + "\n"
	}
	return llbgen.Load("samforge.yaml", []byte(file), nil)
}

// fakeOptions returns stand-ins for registries and downloads: each image resolves to a digest of
// its name, and each download has the same checksum.
func fakeOptions(plan *llbgen.Plan, platform string) llbgen.Options {
	p := platforms.MustParse(platform)
	return llbgen.Options{
		Platform:      p,
		BuildPlatform: platforms.MustParse("linux/amd64"),
		Resolve: func(_ context.Context, ref string, p ocispecs.Platform, _ llbgen.Pin) (*llbgen.SourceImage, error) {
			named, err := reference.ParseNormalizedNamed(ref)
			if err != nil {
				return nil, err
			}
			name := reference.TagNameOnly(named).String()
			dgst := digest.FromString(name)
			return &llbgen.SourceImage{
				Name:   name,
				Digest: dgst,
				State:  llb.Image(plan.File.Mirrors.Image(name)+"@"+dgst.String(), llb.Platform(p)),
				Config: samConfig(p),
			}, nil
		},
		ReadFile: func(_ context.Context, path string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		Checksum: func(context.Context, llbgen.Download) (digest.Digest, error) {
			return digest.FromString("a download"), nil
		},
	}
}

// samConfig is the config of an AWS SAM build image, with fewer layers.
func samConfig(platform ocispecs.Platform) *dockerspec.DockerOCIImage {
	created := time.Date(2025, 9, 11, 3, 1, 38, 0, time.UTC)
	var image dockerspec.DockerOCIImage
	image.Created = &created
	image.Platform = platform
	image.RootFS = ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString("lambda"), digest.FromString("sam")}}
	image.History = []ocispecs.History{
		{Created: &created, CreatedBy: "COPY / / # lambda"},
		{Created: &created, CreatedBy: "RUN dnf groupinstall -y development && ./sam-installation/install"},
		{Created: &created, CreatedBy: `CMD ["/bin/bash"]`, EmptyLayer: true},
	}
	image.Config.WorkingDir = "/var/task"
	image.Config.Cmd = []string{"/bin/bash"}
	image.Config.Env = []string{
		"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin:/usr/local/opt/lambda-builders/bin",
		"LANG=en_US.UTF-8",
		"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		"AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x",
	}
	return &image
}

// build makes the graph of the only target of plan.
func build(t *testing.T, plan *llbgen.Plan, opt llbgen.Options) *llbgen.Image {
	t.Helper()
	return buildTarget(t, plan, lastVariant(plan), opt)
}

// buildTarget makes the graph of a target.
func buildTarget(t *testing.T, plan *llbgen.Plan, name string, opt llbgen.Options) *llbgen.Image {
	t.Helper()
	target, err := plan.SelectOne(name)
	if err != nil {
		t.Fatal(err)
	}
	image, err := plan.Build(t.Context(), target, opt)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// lastVariant returns the variant with everything in it; empty for a kind without variants.
func lastVariant(plan *llbgen.Plan) string {
	return plan.Targets[len(plan.Targets)-1].Variant
}

// diff shows the first line in which two texts differ, with the lines before.
func diff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	same := 0
	for same < len(g) && same < len(w) && g[same] == w[same] {
		same++
	}
	var b strings.Builder
	for _, line := range g[max(same-3, 0):same] {
		b.WriteString("  " + line + "\n")
	}
	for _, line := range w[same:min(same+3, len(w))] {
		b.WriteString("- " + line + "\n")
	}
	for _, line := range g[same:min(same+3, len(g))] {
		b.WriteString("+ " + line + "\n")
	}
	return b.String()
}

// withFile adds a file to the build context.
func withFile(name, content string) func(*llbgen.Options) {
	return func(opt *llbgen.Options) {
		missing := opt.ReadFile
		opt.ReadFile = func(ctx context.Context, path string) ([]byte, error) {
			if path != name {
				return missing(ctx, path)
			}
			return []byte(content), nil
		}
	}
}

// withBase changes what images resolve to.
func withBase(change func(*llbgen.SourceImage)) func(*llbgen.Options) {
	return func(opt *llbgen.Options) {
		resolve := opt.Resolve
		opt.Resolve = func(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
			image, err := resolve(ctx, ref, platform, pin)
			if err == nil {
				change(image)
			}
			return image, err
		}
	}
}

// recordPins keeps what images are resolved with.
func recordPins(pins *[]llbgen.Pin, resolve resolveFunc) resolveFunc {
	var mu sync.Mutex
	return func(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
		mu.Lock()
		*pins = append(*pins, pin)
		mu.Unlock()
		return resolve(ctx, ref, platform, pin)
	}
}

type resolveFunc = func(context.Context, string, ocispecs.Platform, llbgen.Pin) (*llbgen.SourceImage, error)
