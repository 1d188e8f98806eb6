package integration

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/samforge/samforge/integration/testenv"
)

// A node image whose bin is a link gives a working node, in its own prefix and nowhere else.
func TestNodeImageWithALinkedFolder(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	const linked = "public.ecr.aws/lambda/nodejs:20.2025.03.25.17"
	b.push(linked, withLinkedBin(t, b.pulled(t, testenv.Lambda20Base)))
	line := b.build("-f", pairFile(t, testenv.Python312Base, linked, "node: {layout: isolated}\n"),
		"--repo", b.repo("ci/sls"), "--target", "base", "--push").ok(t)[0]
	base, err := b.Registry.ReadImage(t.Context(), testenv.Python312Base, "linux/amd64", testenv.OnlyLayers(1000))
	must(t, err)
	image, err := b.Registry.ReadImage(t.Context(), line, "linux/amd64", testenv.OnlyLayers(len(base.Layers)))
	must(t, err)
	if bin, node := image.Files["/opt/harness/node/bin"], image.Files["/opt/harness/node/bin/node"]; bin.Type != tar.TypeDir || node.Type != tar.TypeReg {
		t.Errorf("bin is %+v, node is %+v", bin, node)
	}
	if outside, there := image.Files["/usr/sbin/node"]; there {
		t.Errorf("node is outside of its prefix too: %+v", outside)
	}
	if output, err := b.inside(b.Buildkitd, line, "node --version"); err != nil || !strings.Contains(output, "v20.") {
		t.Errorf("node: %v\n%s", err, output)
	}
}

// pulled returns an image for amd64 from the bed's registry.
func (b *bed) pulled(t *testing.T, upstream string) v1.Image {
	t.Helper()
	ref, err := b.Registry.Ref(upstream)
	must(t, err)
	parsed, err := name.ParseReference(ref)
	must(t, err)
	image, err := remote.Image(parsed, remote.WithContext(t.Context()), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	must(t, err)
	return image
}

// withLinkedBin moves the files of /var/lang/bin to /usr/sbin, and makes the folder a link.
func withLinkedBin(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	layers, err := image.Layers()
	must(t, err)
	var moved []v1.Layer
	for _, layer := range layers {
		moved = append(moved, rewritten(t, layer, func(header *tar.Header) {
			if strings.Trim(header.Name, "/") == "var/lang/bin" {
				*header = tar.Header{Name: "var/lang/bin", Typeflag: tar.TypeSymlink, Linkname: "/usr/sbin", Mode: 0o777}
			} else if name, inside := strings.CutPrefix(strings.TrimPrefix(header.Name, "/"), "var/lang/bin/"); inside {
				header.Name = "usr/sbin/" + name
			}
		}))
	}
	made, err := mutate.AppendLayers(empty.Image, moved...)
	must(t, err)
	config, err := image.ConfigFile()
	must(t, err)
	layersOnly, err := made.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.RootFS, config.History = layersOnly.RootFS, nil
	made, err = mutate.ConfigFile(made, config)
	must(t, err)
	return made
}

// rewritten returns a layer with each of its entries changed.
func rewritten(t *testing.T, layer v1.Layer, change func(*tar.Header)) v1.Layer {
	t.Helper()
	files, err := layer.Uncompressed()
	must(t, err)
	defer files.Close()
	path := filepath.Join(t.TempDir(), "layer.tar")
	file, err := os.Create(path)
	must(t, err)
	w := tar.NewWriter(file)
	for r := tar.NewReader(files); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		change(header)
		must(t, w.WriteHeader(header))
		_, err = io.Copy(w, r)
		must(t, err)
	}
	must(t, w.Close())
	must(t, file.Close())
	made, err := tarball.LayerFromFile(path)
	must(t, err)
	return made
}
