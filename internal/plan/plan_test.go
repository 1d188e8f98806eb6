package plan

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/internal/project"
	ours "github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// manyImages returns a build file with n images, whose registry is in this process.
func manyImages(tb testing.TB, n int) *project.Project {
	tb.Helper()
	p, err := project.Load(tb.Context(), optionsOfMany(tb, n))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func optionsOfMany(tb testing.TB, n int) project.Options {
	tb.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	tb.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := random.Image(1024, 3)
	if err == nil {
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	}
	if err != nil {
		tb.Fatal(err)
	}
	for _, ref := range []string{"sam/build-python3.12:1.143.0", "harness/aws-sam-plugin:1.1.2", "library/docker:28.5.2-cli"} {
		parsed, err := name.ParseReference(host + "/" + ref)
		if err != nil {
			tb.Fatal(err)
		}
		if err := remote.Write(parsed, image); err != nil {
			tb.Fatal(err)
		}
	}
	var file strings.Builder
	fmt.Fprintf(&file, "kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2, version: 1.1.2}\nrepo: %s/ci/sam\nruntimes:\n", host)
	for i := range n {
		fmt.Fprintf(&file, "  - {image: 'public.ecr.aws/sam/build-python3.12:1.143.0', name: python%d}\n", i)
	}
	path := filepath.Join(tb.TempDir(), llbgen.Filename)
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return project.Options{File: path, Mirrors: llbgen.Mirrors{"public.ecr.aws": host, "docker.io": host}}
}

func TestPlanOfManyImages(t *testing.T) {
	t.Parallel()
	planned, err := New(t.Context(), manyImages(t, 100), ours.NewClient(ours.NewKeychain(nil, ours.AWS{}), 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(planned.Images) != 100 || len(planned.Sources) != 4 { // 3 images and go-template
		t.Fatalf("the plan has %d images and %d sources, want 100 and 4", len(planned.Images), len(planned.Sources))
	}
	for i, image := range planned.Images {
		if want := fmt.Sprintf("python%d", i); image.Target != want {
			t.Errorf("image %d is %s, want %s: the order is the build file's", i, image.Target, want)
		}
	}
	picture := planned.picture()
	if len(picture.Images) != 100 || len(picture.Layers) != 4 {
		t.Errorf("the picture has %d images and %d layers, want 100 that share 4", len(picture.Images), len(picture.Layers))
	}
}

// BenchmarkPlan plans with a resolver that knows the sources of the images. After planning, each
// image takes the same memory whether there are few or many.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d images", n), func(b *testing.B) {
			p := manyImages(b, n)
			client := ours.NewClient(ours.NewKeychain(nil, ours.AWS{}), 0)
			resolver := ours.NewResolver(b.Context(), client)
			if _, err := newPlan(b.Context(), p, resolver, client); err != nil {
				b.Fatal(err)
			}
			before := live()
			var planned *Plan
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if planned, err = newPlan(b.Context(), p, resolver, client); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(live()-before)/float64(len(planned.Images)), "B-kept/image")
		})
	}
}

// live returns how many bytes of the heap are in use.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// plan takes an image from the same named context as a build.
func TestPlanWithNamedContexts(t *testing.T) {
	t.Parallel()
	layoutPath := t.TempDir()
	image, err := random.Image(256, 1)
	if err == nil {
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	}
	var path layout.Path
	if err == nil {
		path, err = layout.Write(layoutPath, empty.Index)
	}
	if err == nil {
		err = path.AppendImage(image)
	}
	if err != nil {
		t.Fatal(err)
	}
	inLayout, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	opt := optionsOfMany(t, 1)
	host := opt.Mirrors["docker.io"]
	for name, c := range map[string]struct{ value, digest, want string }{
		"an image":                     {"docker:28.5.2-cli=docker-image://" + host + "/harness/aws-sam-plugin:1.1.2", "", ""},
		"an OCI layout":                {"docker:28.5.2-cli=oci-layout://" + layoutPath, inLayout.String(), ""},
		"an image that does not exist": {"docker:28.5.2-cli=docker-image://" + host + "/no/such:1", "", "no/such"},
		"a folder cannot be a base": {
			"public.ecr.aws/sam/build-python3.12:1.143.0=" + layoutPath, "", "is replaced by plain files, and a base image needs a config",
		},
	} {
		opt.BuildContexts = []string{c.value}
		p, err := project.Load(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		planned, err := New(t.Context(), p, ours.NewClient(ours.NewKeychain(nil, ours.AWS{}), 0))
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: the error is %v, want one with %q", name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range planned.Sources {
			if c.digest != "" && strings.Contains(s.Name, "docker:28.5.2") && s.Digest != c.digest {
				t.Errorf("%s: the source is %+v, want %s", name, s, c.digest)
			}
		}
	}
}

// The lock file's entry for a platform must be the image that its digest leads to, as in a build.
func TestPlanOfALockThatContradictsItself(t *testing.T) {
	t.Parallel()
	opt := optionsOfMany(t, 1)
	plugin, err := name.NewTag(opt.Mirrors["docker.io"] + "/harness/aws-sam-plugin:1.1.2")
	if err != nil {
		t.Fatal(err)
	}
	right, err := remote.Head(plugin)
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(128, 1)
	if err == nil {
		other, err = mutate.ConfigFile(other, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: "somebody else"})
	}
	if err == nil {
		err = remote.Write(plugin.Context().Tag("other"), other)
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := other.Digest()
	if err != nil {
		t.Fatal(err)
	}
	const locked = "version: 1\nimages:\n  docker.io/harness/aws-sam-plugin:1.1.2:\n    digest: %s\n    linux/amd64: %s\n"
	path := filepath.Join(filepath.Dir(opt.File), llbgen.LockFilename(llbgen.Filename))
	for manifest, want := range map[string]string{
		right.Digest.String(): "",
		wrong.String():        "samforge.lock has " + wrong.String() + " for linux/amd64, and " + right.Digest.String() + " has another image for it: run samforge lock --update",
	} {
		if err := os.WriteFile(path, fmt.Appendf(nil, locked, right.Digest, manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := project.Load(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(t.Context(), p, ours.NewClient(ours.NewKeychain(nil, ours.AWS{}), 0)); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
