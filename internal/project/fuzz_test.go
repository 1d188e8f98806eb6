package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/credentials"
)

// FuzzLayout: whatever the documents of an OCI layout are, there is the configuration of an image,
// byte for byte one of its blobs, or a mistake that names the layout.
func FuzzLayout(f *testing.F) {
	config := `{"architecture": "amd64", "os": "linux"}`
	manifest := `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "` + digest.FromString(config).String() + `", "size": 40}, "layers": []}`
	index := `{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "` + digest.FromString(manifest).String() + `", "size": 1, "annotations": {"org.opencontainers.image.ref.name": "latest"}}]}`
	for _, seed := range []string{index, `{"manifests": []}`, `{"manifests": [{}]}`, `null`, "", `{"manifests": [{"digest": "sha256:../../index.json", "mediaType": "application/vnd.oci.image.index.v1+json"}]}`} {
		f.Add([]byte(seed), []byte(manifest), []byte(config), ":latest")
		f.Add([]byte(seed), []byte(index), []byte("null"), "")
		f.Add([]byte(seed), []byte(`{"config": {"digest": "x"}}`), []byte(config), "@sha256:x")
	}
	root := f.TempDir()
	blobs := filepath.Join(root, ocispecs.ImageBlobsDir, "sha256")
	f.Fuzz(func(t *testing.T, index, manifest, config []byte, entry string) {
		if err := os.MkdirAll(blobs, 0o755); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{filepath.Join(root, "oci-layout"): []byte(`{"imageLayoutVersion": "1.0.0"}`), filepath.Join(root, "index.json"): index}
		for _, blob := range [][]byte{manifest, config, index} {
			files[filepath.Join(blobs, digest.FromBytes(blob).Encoded())] = blob
		}
		for path, data := range files {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, value := range []string{root + entry, root + "@" + digest.FromBytes(manifest).String()} {
			layout, err := ParseLayout(value)
			if err != nil {
				if !strings.Contains(err.Error(), "OCI layout") {
					t.Errorf("the mistake names no layout: %v", err)
				}
				continue
			}
			if layout.Path != root {
				continue
			}
			got, err := layout.Config(t.Context(), ocispecs.Platform{OS: "linux", Architecture: "amd64"})
			if err == nil && files[filepath.Join(blobs, digest.FromBytes(got).Encoded())] == nil && len(got) > 0 {
				t.Errorf("%q is no blob", got)
			}
		}
		if err := os.RemoveAll(blobs); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzNamedContext: whatever the value of --build-context is, it has a name and a source, or there
// is a mistake that shows no password.
func FuzzNamedContext(f *testing.F) {
	for _, seed := range []string{
		"a=docker-image://b:1", "docker.io/library/a:latest=oci-layout://x", "a=https://user:pass@host/x.git", "a=.", "A=.", "a", "=b", "a=docker-image://B", "a=git@github.com:a/b.git", "a=https://h/r.git#main:d", "a=target:b", "a@sha256:0=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		contexts, err := namedContexts([]string{value})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "--build-context ") || credentials.Mask(err.Error()) != err.Error() {
				t.Errorf("the mistake is %v", err)
			}
			return
		}
		if c := contexts[0]; c.Name == "" || c.Source == "" || !strings.HasSuffix(value, "="+c.Source) || credentials.In(c.Source) {
			t.Errorf("%q is read as %+v", value, c)
		}
	})
}
