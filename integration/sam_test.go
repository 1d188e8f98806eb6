package integration

import (
	"bytes"
	"debug/elf"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/integration/testenv"
)

const seedBase = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64"

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// The image of the published pipeline's own inputs, checked from all sides.
func TestSeedExample(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	lines := b.build("-f", example(t, "sam/samforge.yaml"), "--repo", b.repo("ci/aws-sam-plugin"), "--push").ok(t)

	want := b.repo("ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-linux-amd64@sha256:")
	if len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
		t.Fatalf("stdout is %q, want one line that begins with %s", lines, want)
	}
	b.wantNothingPulled(seedBase)

	base, err := b.Registry.ReadImage(t.Context(), seedBase, "linux/amd64")
	must(t, err)
	image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
	must(t, err)
	t.Run("law 1: the base's layers come first and are the base's own", func(t *testing.T) {
		for i, layer := range base.Layers {
			if image.Layers[i].Digest != layer.Digest {
				t.Errorf("layer %d is %s, want the base's %s", i, image.Layers[i].Digest, layer.Digest)
			}
		}
		if got := len(image.Layers) - len(base.Layers); got != 3 {
			t.Errorf("%d layers were added, want 3", got)
		}
	})
	t.Run("law 6: it adds files only below real directories", func(t *testing.T) {
		for name, file := range image.Files {
			if file.Layer < len(base.Layers) || strings.HasPrefix(name+"/", "/opt/harness/") || name == "/usr/local/bin/docker" {
				continue
			}
			if was, ok := base.Files[name]; !ok || was.Type != file.Type || was.Mode != file.Mode {
				t.Errorf("%s was added or changed: %+v, in the base %+v", name, file, was)
			}
		}
	})
	t.Run("the plugin's directories and programs have their modes", func(t *testing.T) { wantKit(t, image, "amd64") })
	t.Run("law 7: the config is the base's and ours", func(t *testing.T) { wantConfig(t, base, image) })
	t.Run("the manifest names the base", func(t *testing.T) { wantAnnotations(t, image) })
	t.Run("law 4: every file that was added carries the epoch", func(t *testing.T) {
		for name, file := range image.Files {
			if file.Layer >= len(base.Layers) && !file.ModTime.Equal(time.Unix(315532800, 0)) {
				t.Errorf("%s has the time %s, want 1980-01-01", name, file.ModTime)
			}
		}
	})
}

// wantNothingPulled fails the test if a layer of the image was fetched.
func (b *bed) wantNothingPulled(ref string) {
	b.t.Helper()
	layers, size, err := b.Registry.PulledFrom(b.t.Context(), ref)
	must(b.t, err)
	if layers != 0 {
		b.t.Errorf("%d layers (%d bytes) of %s were pulled, want none", layers, size, ref)
	}
}

// wantKit checks everything that a SAM image has on top of its base.
func wantKit(t *testing.T, image *testenv.Inspected, arch string) {
	t.Helper()
	for name, mode := range map[string]int64{
		"/opt/harness":                          0o755,
		"/opt/harness/bin":                      0o777,
		"/opt/harness/scripts":                  0o777,
		"/opt/harness/client-tools":             0o777,
		"/opt/harness/bin/harness-sam-plugin":   0o755,
		"/opt/harness/scripts/sam-plugin.sh":    0o755,
		"/opt/harness/scripts/lib/common.sh":    0o644,
		"/opt/harness/client-tools/go-template": 0o755,
		"/usr/local/bin/docker":                 0o755,
	} {
		file, ok := image.Files[name]
		if !ok || file.Mode&0o7777 != mode || file.UID != 0 || file.GID != 0 {
			t.Errorf("%s is %+v, want mode %o and owner 0:0", name, file, mode)
		}
	}
	for _, name := range []string{"/opt/harness/bin/harness-sam-plugin", "/opt/harness/client-tools/go-template", "/usr/local/bin/docker"} {
		data, err := image.ReadFile(name)
		must(t, err)
		program, err := elf.NewFile(bytes.NewReader(data))
		must(t, err)
		if program.Machine != machines[arch] {
			t.Errorf("%s is for %s, want %s", path.Base(name), program.Machine, machines[arch])
		}
	}
}

// wantAnnotations checks that the manifest says the same about the base as the labels.
func wantAnnotations(t *testing.T, image *testenv.Inspected) {
	t.Helper()
	for _, name := range []string{"org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"} {
		if want := image.Config.Labels[name]; want == "" || image.Manifest.Annotations[name] != want {
			t.Errorf("annotation %s is %q, the label %q", name, image.Manifest.Annotations[name], want)
		}
	}
}

func wantConfig(t *testing.T, base, image *testenv.Inspected) {
	t.Helper()
	c := image.Config
	if !slices.Equal(c.Entrypoint, []string{"/opt/harness/scripts/sam-plugin.sh"}) || len(c.Cmd) != 0 {
		t.Errorf("entrypoint %q, command %q: want the plugin's script and no command", c.Entrypoint, c.Cmd)
	}
	if !slices.Equal(c.Env, base.Config.Env) || c.WorkingDir != base.Config.WorkingDir || c.User != base.Config.User {
		t.Errorf("env %q, folder %q, user %q: want the base's", c.Env, c.WorkingDir, c.User)
	}
	for name, want := range map[string]string{
		"org.opencontainers.image.base.name":   seedBase,
		"org.opencontainers.image.base.digest": base.Digest,
		"io.samforge.runtime":                  "nodejs22.x",
		"io.samforge.sam.version":              "1.144.0",
		"io.samforge.plugin.version":           "1.1.2",
		"io.samforge.docker.version":           "28.5.2",
		"io.samforge.go-template.version":      "v0.4.15",
	} {
		if c.Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, c.Labels[name], want)
		}
	}
	layers := 0
	for i, h := range image.History {
		if i < len(base.History) && h != base.History[i] {
			t.Errorf("history entry %d is %+v, want the base's %+v", i, h, base.History[i])
		}
		if !h.EmptyLayer {
			layers++
		}
	}
	if layers != len(image.Layers) {
		t.Errorf("the history has %d layers, the image has %d", layers, len(image.Layers))
	}
}

// matrixBases are the base images of examples/sam/matrix.yaml, by runtime.
var matrixBases = map[string]string{
	"nodejs22.x":      "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138",
	"python3.12":      "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415",
	"java21":          "public.ecr.aws/sam/build-java21:1.143.0-20250822194412",
	"provided.al2023": "public.ecr.aws/sam/build-provided.al2023:1.143.0-20250822194409",
}

// Four runtimes for two architectures, one of which is not the machine's own: law 8. There is no
// runc, so nothing can have been executed or emulated.
func TestMatrixExample(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Buildkitd: testenv.BuildkitdOptions{NoRunc: true}})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64", "arm64")
	}
	b.Registry.Reset()
	lines := b.build("-f", example(t, "sam/matrix.yaml"), "--repo", b.repo("ci/sam"),
		"--platform", "linux/amd64,linux/arm64", "--push").ok(t)

	if len(lines) != 3*len(matrixBases) {
		t.Fatalf("stdout has %d lines, want an index and two members for each of %d runtimes:\n%s", len(lines), len(matrixBases), strings.Join(lines, "\n"))
	}
	for runtime, ref := range matrixBases {
		b.wantNothingPulled(ref)
		version := strings.SplitN(ref[strings.LastIndex(ref, ":")+1:], "-", 2)[0]
		tag := b.repo("ci/sam:1.1.2-" + runtime + "-" + version)
		for _, arch := range []string{"amd64", "arm64"} {
			member, err := b.Registry.ReadImage(t.Context(), tag+"-linux-"+arch, "linux/"+arch)
			must(t, err)
			ofIndex, err := b.Registry.ReadImage(t.Context(), tag, "linux/"+arch)
			must(t, err)
			if member.Digest != ofIndex.Digest {
				t.Errorf("%s for %s is %s under its own tag and %s in the index", runtime, arch, member.Digest, ofIndex.Digest)
			}
			wantKit(t, member, arch)
			wantAnnotations(t, member)
		}
	}
}
