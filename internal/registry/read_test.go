package registry

import (
	"bytes"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestReadReturnsTheBytesOfTheRegistry(t *testing.T) {
	t.Parallel()
	host := serve(t, nil)
	image, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(mustParse(t, host+"/ci/function:1"), image); err != nil {
		t.Fatal(err)
	}
	manifest, _ := image.RawManifest()
	config, _ := image.RawConfigFile()
	read, err := testClient().Read(t.Context(), host+"/ci/function:1")
	if err != nil || read.MediaType != string(types.DockerManifestSchema2) || !bytes.Equal(read.Manifest, manifest) || !bytes.Equal(read.Config, config) {
		t.Errorf("the image: %+v, %v", read, err)
	}

	index := pushIndex(t, host+"/ci/function:2", v1.Platform{OS: "linux", Architecture: "amd64"})
	manifest, _ = index.RawManifest()
	read, err = testClient().Read(t.Context(), host+"/ci/function:2")
	if err != nil || read.MediaType != string(types.OCIImageIndex) || !bytes.Equal(read.Manifest, manifest) || read.Config != nil {
		t.Errorf("the index: %+v, %v", read, err)
	}

	if _, err := testClient().Read(t.Context(), host+"/ci/function:3"); !Absent(err) {
		t.Errorf("no such tag: %v", err)
	}
	if _, err := testClient().Read(t.Context(), "127.0.0.1:1/ci/function:1"); err == nil || Absent(err) {
		t.Errorf("no registry: %v", err)
	}
}

func TestIsReference(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"python:3.12": true,
		"harness/aws-sam-plugin:1.1.2-beta-base-image":                                     true,
		"public.ecr.aws/lambda/python":                                                     true,
		"localhost/function":                                                               true,
		"127.0.0.1:5000/function":                                                          true,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/orders:v1":                      true,
		"function@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": true,

		"":                       false,
		".":                      false,
		"images":                 false,
		"images/python":          false,
		"./images":               false,
		"../images":              false,
		"/images":                false,
		"Images:1":               false,
		"function@sha256:1234":   false,
		"https://example.com/a":  false,
		"git@github.com:a/b.git": false,
	} {
		if got := IsReference(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
