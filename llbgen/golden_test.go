package llbgen_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/platforms"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

var update = flag.Bool("update", false, "rewrite testdata/golden and what is generated in docs")

// TestGolden shows the graph and the config of each kind of image. After a change on purpose: go
// test ./llbgen -run Golden -update, and read the diff.
func TestGolden(t *testing.T) {
	t.Parallel()
	const amd64, arm64 = "linux/amd64", "linux/arm64"
	for _, test := range []struct {
		name     string
		file     string
		args     map[string]string
		target   string // where there are several
		platform string
		options  func(*llbgen.Options)
	}{
		{name: "sam for amd64", file: buildFile, platform: amd64},
		{name: "sam for arm64", file: buildFile, platform: arm64},
		{
			name:     "without docker and go-template",
			file:     buildFile + "docker: false\ngoTemplate: false\n",
			platform: amd64,
		},
		{
			name: "docker from an archive with a known sum",
			file: buildFile + `docker:
  version: 27.5.1
  archive: https://download.docker.com/linux/static/stable/{{.Machine}}/docker-{{.Version}}.tgz
goTemplate: false
`,
			platform: arm64,
		},
		{
			name:     "docker from another image",
			file:     buildFile + "docker:\n  image: registry.example.com/tools/docker:29.0-cli\ngoTemplate: false\n",
			platform: amd64,
		},
		{
			name: "without merge", file: buildFile, platform: amd64,
			options: func(o *llbgen.Options) { o.NoMerge = true },
		},
		{
			name: "without cache", file: buildFile, platform: amd64,
			options: func(o *llbgen.Options) { o.NoCache = true },
		},
		{
			name: "through mirrors",
			file: buildFile + `mirrors:
  public.ecr.aws: mirror.example.com/ecr
  docker.io: mirror.example.com/hub
  https://app.harness.io/: https://files.example.com/harness/
`,
			platform: amd64,
		},
		{
			name: "without a file",
			args: map[string]string{
				"SAMFORGE_KIND":             "sam",
				"HARNESS_BASE_IMAGE":        "harness/aws-sam-plugin:1.1.2-beta-base-image",
				"VERSION":                   "1.1.2",
				"SAM_BASE_IMAGE":            "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415-x86_64",
				"DOCKER_VERSION":            "27.5.1",
				"HARNESS_GO_PLUGIN_VERSION": "v0.4.5",
			},
			platform: amd64,
		},
		{
			name: "one of several platforms", file: buildFile, platform: arm64,
			options: func(o *llbgen.Options) { o.Prefix = "linux/arm64" },
		},
		{
			name: "at a given time", file: buildFile + "labels:\n  team: platform\n", platform: amd64,
			options: func(o *llbgen.Options) {
				o.Epoch = time.Unix(1758000000, 0).UTC() // SOURCE_DATE_EPOCH=1758000000
				o.Labels = map[string]string{"org.opencontainers.image.revision": "4ef891b"}
			},
		},
		{
			name: "on a base without history", file: buildFile, platform: amd64,
			options: withBase(func(image *llbgen.SourceImage) { image.Config.History = nil }),
		},
		{name: "serverless", file: serverlessFile("python3.12", "nodejs20.x", ""), platform: amd64},
		{name: "isolated serverless for arm64", file: serverlessFile("python3.12", "nodejs20.x", "node: {layout: isolated}\n"), platform: arm64},
		{name: "serverless on node itself", file: strings.ReplaceAll(serverlessFile("nodejs20.x", "nodejs20.x", ""), "1.142.1-20250701194712", "1.143.0-20250822194415"), platform: amd64},
		{
			name: "serverless with node from lambda for arm64", target: "python3.12-serverless", platform: arm64,
			// npm runs in Lambda's image, though the first runtime image has Node.js itself.
			file: strings.ReplaceAll(serverlessFile("nodejs20.x", "nodejs20.x", ""), "1.142.1-20250701194712", "1.143.0-20250822194415") +
				"  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415\n    node: " + lambdaNode22 + "-arm64\n",
		},
		{name: "osls for arm64", file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "flavor: osls, version: 4.3.1", 1), platform: arm64},
		{
			name: "serverless from a lock of the build context", platform: arm64,
			file:    strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.39.0, lock: locks/package-lock.json", 1),
			options: withFile("locks/package-lock.json", framework(locked("a", "1.0.0"))),
		},
		{name: "serverless without a lock", file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.37.0", 1), platform: amd64},
		{name: "cdk", file: cdkFile, platform: amd64},
		{name: "cdk of another version for arm64", file: cdkFile + "cdk: {version: 2.1000.0}\n", platform: arm64},
		{name: "serverless 4", file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "4.18.0", 1), platform: arm64},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, test.file, test.args)
			opt := fakeOptions(plan, test.platform)
			if test.options != nil {
				test.options(&opt)
			}
			image := buildTarget(t, plan, cmp.Or(test.target, lastVariant(plan)), opt)
			text := graphText(decode(t, image.State, opt.Platform)) + "\n" + configText(image.Config)
			for _, w := range image.Warnings {
				text += "\nwarning " + w.Error() + "\n"
			}
			golden(t, test.name, text)
		})
	}
}

// configText returns the image config as text, one line for each value.
func configText(image *dockerspec.DockerOCIImage) string {
	var b strings.Builder
	c := image.Config
	fmt.Fprintf(&b, "config %s created %s\n", platforms.Format(image.Platform), image.Created.Format(time.RFC3339))
	fmt.Fprintf(&b, "    entrypoint %q\n    cmd %q\n    user %q\n    workdir %q\n", c.Entrypoint, c.Cmd, c.User, c.WorkingDir)
	for _, env := range c.Env {
		fmt.Fprintf(&b, "    env %s\n", env)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		fmt.Fprintf(&b, "    label %s=%s\n", key, c.Labels[key])
	}
	for _, h := range image.History {
		fmt.Fprintf(&b, "    history %s %s", h.Created.Format(time.RFC3339), h.CreatedBy)
		if h.EmptyLayer {
			b.WriteString(" (no layer)")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	goldenFile(t, filepath.Join("testdata", "golden", strings.ReplaceAll(name, " ", "-")+".txt"), got)
}

func goldenFile(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (-want +got); -update accepts it:\n%s", path, diff(got, string(want)))
	}
}
