package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// A runtime in place of a base image is answered by its newest image, which the mirror of the build
// file has; without a registry, by how to find it.
func TestRuntimeInPlaceOfABaseImage(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	image, err := random.Image(10, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"latest", "1.143.0-20250822194415", "1.150.0-20251211000000"} {
		if err := crane.Push(image, host+"/ecr/sam/build-python3.13:"+tag); err != nil {
			t.Fatal(err)
		}
	}
	file := func(mirror string) string {
		path := filepath.Join(t.TempDir(), "samforge.yaml")
		text := fmt.Sprintf("kind: sam\nplugin: {image: harness/plugin:1, version: 1}\nruntimes:\n  - image: python3.13\nmirrors: {public.ecr.aws: '%s'}\n", mirror)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, verb := range []string{"plan", "check", "lock", "build"} {
		out, err := execute(verb, "-f", file(host+"/ecr"))
		if want := `"python3.13" is a runtime, not an image: write public.ecr.aws/sam/build-python3.13:1.150.0-20251211000000, its newest image`; codeOf(err) == 0 || !strings.Contains(fmt.Sprint(out, err), want) {
			t.Errorf("samforge %s: %v\n%s", verb, err, out)
		}
	}
	out, err := execute("plan", "-f", file("127.0.0.1:1/ecr"))
	if want := "write public.ecr.aws/sam/build-python3.13 with the tag of a build, such as 1.143.0-20250822194415 (samforge init --runtime python3.13 finds the newest)"; codeOf(err) != exitInput || !strings.Contains(err.Error(), want) {
		t.Errorf("without a registry: %v\n%s", err, out)
	}
}
