package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

var armV8 = ocispecs.Platform{OS: "linux", Architecture: "arm64"}

// writeLayout writes an index of two platforms into a layout.
func writeLayout(t *testing.T) (dir string, arm v1.Image) {
	t.Helper()
	dir = t.TempDir()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := random.Image(10, 1)
		if err == nil {
			image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: arch})
		}
		if err != nil {
			t.Fatal(err)
		}
		arm = image
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(index)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, arm
}

func TestConfigInALayout(t *testing.T) {
	t.Parallel()
	dir, arm := writeLayout(t)
	found, err := ParseLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := found.Config(t.Context(), armV8)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := arm.RawConfigFile(); string(config) != string(want) {
		t.Errorf("the config is %s, want %s", config, want)
	}
	if _, err := found.Config(t.Context(), ocispecs.Platform{OS: "linux", Architecture: "s390x"}); err == nil || !strings.Contains(err.Error(), "no image for linux/s390x") {
		t.Errorf("for another platform: %v", err)
	}
}

// A repository can contain links: no file of a layout may be a device.
func TestLayoutsThatNeverEnd(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the index", func(t *testing.T) {
		t.Parallel()
		dir, _ := writeLayout(t)
		link(t, filepath.Join(dir, "index.json"))
		if _, err := ParseLayout(dir); err == nil || !strings.Contains(err.Error(), "device") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a blob", func(t *testing.T) {
		t.Parallel()
		dir, _ := writeLayout(t)
		found, err := ParseLayout(dir)
		if err != nil {
			t.Fatal(err)
		}
		link(t, filepath.Join(dir, "blobs", "sha256", found.Digest.Encoded()))
		if _, err := found.Config(t.Context(), armV8); err == nil || !strings.Contains(err.Error(), "device") {
			t.Errorf("got %v", err)
		}
	})
}
