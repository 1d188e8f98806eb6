package plan

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/samforge/samforge/internal/project"
	ours "github.com/samforge/samforge/internal/registry"
)

// An image or a folder that several functions are built from is one box, and so is the image of equal
// builds.
func TestDrawFunctions(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, repository := range []string{"python:3.13", "tools:1"} {
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		ref, err := name.ParseReference(host + "/" + repository)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, image); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	template := "Resources:\n"
	for _, f := range []struct{ name, dockerfile, context string }{
		{"OneFn", "Dockerfile", "./app"}, {"SameFn", "Dockerfile", "./app"},
		{"ToolsFn", "tools.Dockerfile", "./app"}, {"BareFn", "Dockerfile", "./bare"},
	} {
		template += "  " + f.name + ":\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
			"    Metadata: {Dockerfile: " + f.dockerfile + ", DockerContext: " + f.context + "}\n"
	}
	for file, text := range map[string]string{
		"template.yaml": template, "app/app.py": "pass\n",
		"app/Dockerfile":       "FROM " + host + "/python:3.13\nCOPY app.py ./\n",
		"app/tools.Dockerfile": "FROM " + host + "/python:3.13\nCOPY --from=" + host + "/tools:1 / /\nCOPY app.py ./\n",
		"bare/Dockerfile":      "FROM " + host + "/tools:1\nENV A=b\n",
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := project.Load(t.Context(), project.Options{File: filepath.Join(dir, "template.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	picture, err := Draw(t.Context(), p, ours.NewClient(ours.NewKeychain(nil, ours.AWS{}), 0))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := picture.Write(&text, "mermaid"); err != nil {
		t.Fatal(err)
	}
	want := `flowchart LR
  layer1["HOST/python:3.13<br/>linux/amd64"]
  layer3["HOST/tools:1<br/>linux/amd64"]
  layer2["build context (3 files, SIZE)<br/>app"]
  image1(["OneFn, SameFn"])
  layer1 -- 1 --> image1
  layer2 -- 2 --> image1
  image2(["ToolsFn"])
  layer1 -- 1 --> image2
  layer3 -- 2 --> image2
  layer2 -- 3 --> image2
  image3(["BareFn"])
  layer3 -- 1 --> image3
`
	size := humanSize(picture.Layers[2].Size)
	if got := strings.NewReplacer(host, "HOST", size, "SIZE").Replace(text.String()); got != want {
		t.Errorf("the picture is\n%s\nwant\n%s", got, want)
	}
	for format, part := range map[string]string{"svg": ">OneFn, SameFn</text>", "dot": `image3 [label="BareFn"`, "json": `"files": 3`} {
		text.Reset()
		if err := picture.Write(&text, format); err != nil || !strings.Contains(text.String(), part) {
			t.Errorf("%s: %v\n%s", format, err, &text)
		}
	}
}
