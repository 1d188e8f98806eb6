package imagefile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// digestA names a blob of the seeds; what is in it does not have this digest.
const digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// archive returns a tar archive with files of these contents, in the order of their names.
func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func zipped(f *testing.F, data []byte) []byte {
	f.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}

const (
	version  = `{"imageLayoutVersion": "1.0.0"}`
	manifest = `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:` + digestA + `", "size": 2}, "layers": []}`
)

// indexOf returns an index with one member, a manifest or an index.
func indexOf(kind string, size int) string {
	return fmt.Sprintf(`{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.%s.v1+json", "digest": "sha256:%s", "size": %d}]}`, kind, digestA, size)
}

// layoutOf returns the files of an OCI layout with a blob.
func layoutOf(index, blob string) map[string]string {
	return map[string]string{"oci-layout": version, "index.json": index, "blobs/sha256/" + digestA: blob}
}

// seeds are archives of docker save and OCI layouts, right and wrong.
func seeds(f *testing.F) (all [][]byte) {
	for _, files := range []map[string]string{
		{"manifest.json": `[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]`, "c.json": `{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}`, "l.tar": ""},
		{"manifest.json": `[{"Config": "../c", "Layers": ["/etc/passwd", "a"]}]`}, {"manifest.json": "null"}, {"manifest.json": "[]", "oci-layout": version}, {"a": "b"},
		layoutOf(indexOf("manifest", len(manifest)), manifest), layoutOf(`{"manifests": []}`, ""), {"oci-layout": version}, {"./oci-layout": version, "../index.json": "{}", "index.json/a": ""},
		layoutOf(indexOf("index", 300), indexOf("index", 300)), // which is in itself
	} {
		data := archive(f, files)
		all = append(all, data, zipped(f, data), data[:len(data)/3])
	}
	return append(all, []byte("\x1f\x8b"), nil)
}

// FuzzOpen: whatever the file, there is an image that can be described, or there is a mistake.
// Nothing is written but below the folder for temporary files.
func FuzzOpen(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed, "linux/amd64")
		f.Add(seed, "")
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, platform string) { open(t, root, data, platform) })
}

// FuzzDocuments: FuzzOpen for what is in an archive, whose checksums the fuzzer seldom hits.
func FuzzDocuments(f *testing.F) {
	f.Add(indexOf("manifest", len(manifest)), manifest, `[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]`, `{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}`)
	f.Add(indexOf("index", 300), indexOf("index", 300), `[]`, `null`)
	f.Add(`{"manifests": [{"digest": "sha256:`+digestA+`", "platform": null}, {}]}`, `{"manifests": null}`, `[{"Config": "", "Layers": ["c.json"]}]`, `{"rootfs": {"diff_ids": [""]}}`)
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, index, blob, dockers, config string) {
		open(t, root, archive(t, layoutOf(index, blob)), "linux/amd64")
		open(t, root, archive(t, map[string]string{"manifest.json": dockers, "c.json": config, "l.tar": blob}), "")
	})
}

// open opens an archive below a folder, and looks at what that leaves there.
func open(t *testing.T, root string, data []byte, platform string) {
	t.Helper()
	file, folder := filepath.Join(root, "image.tar"), filepath.Join(root, "temporary")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	image, err := Open(file, platform, folder)
	switch {
	case err == nil:
		describe(image)
	case err.Error() == "":
		t.Error("a mistake without words")
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the file there are %v, %v", entries, err)
	}
	checkRegular(t, folder)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
}

// describe asks for what a push asks for.
func describe(image v1.Image) {
	if _, err := image.Digest(); err != nil {
		return
	}
	_, _ = image.ConfigFile()
	layers, err := image.Layers()
	if err != nil {
		return
	}
	for _, layer := range layers {
		_, _ = layer.Digest()
		_, _ = layer.Size()
	}
}

// checkRegular fails for everything but files and folders: a link could lead out of the folder.
func checkRegular(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !entry.Type().IsRegular() {
			t.Errorf("%s is no file and no folder", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
