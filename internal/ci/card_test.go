package ci

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/registry"
)

// The card has the fields that drone-docker's schema shows.
func TestCard(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client := registry.NewClient(registry.NewKeychain(nil, registry.AWS{}), 0)
	layers, err := random.Image(3<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.ConfigFile(layers, &v1.ConfigFile{
		Architecture: "arm64", OS: "linux", Author: "team", Created: v1.Time{Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}, RootFS: rootFS(t, layers),
	})
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/app"
	digest, err := client.Push(t.Context(), image, repository+":1")
	if err != nil {
		t.Fatal(err)
	}
	refs := []build.Ref{{Name: repository + ":1", Digest: digest}, {Name: repository + ":1.2", Digest: digest}, {Name: repository + ":other", Digest: "sha256:0"}}
	path := filepath.Join(t.TempDir(), "new", "card.json")
	var log strings.Builder
	for _, setting := range []string{path, "/dev/stdout"} {
		s, _, err := Read([]string{"DRONE_CARD_PATH=" + setting})
		if err != nil {
			t.Fatal(err)
		}
		s.writeCard(t.Context(), client, refs, Options{Stdout: &log, Stderr: &log})
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	var got struct {
		Schema string
		Data   map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"Id": config.String(), "Architecture": "arm64", "Os": "linux", "Author": "team", "Created": "2026-03-04T05:06:07Z", "SizeString": "6.00MB", "URL": "https://" + repository,
	} {
		if got.Data[field] != want {
			t.Errorf("%s is %v, want %v", field, got.Data[field], want)
		}
	}
	if tags := got.Data["ParsedRepoTags"].([]any); got.Schema != cardSchema || len(tags) != 2 || tags[1].(map[string]any)["Tag"] != repository+":1.2" {
		t.Errorf("the card is %s", data)
	}
	if digests := got.Data["RepoDigests"].([]any); len(digests) != 1 || digests[0] != repository+"@"+digest {
		t.Errorf("the digests are %v", digests)
	}
	encoded, ok := strings.CutPrefix(log.String(), "\x1b]1338;")
	encoded, end := strings.CutSuffix(encoded, "\x1b]0m\n")
	if text, err := base64.StdEncoding.DecodeString(encoded); !ok || !end || err != nil || !strings.HasPrefix(string(text), `{"schema":"`) {
		t.Errorf("the log has %q, %v", log.String(), err)
	}
}

func rootFS(t *testing.T, image v1.Image) v1.RootFS {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS
}

// A step without a push has no card, and one that cannot be written is a warning.
func TestNoCard(t *testing.T) {
	t.Parallel()
	s := &Step{cardPath: filepath.Join(t.TempDir(), "card.json")}
	for want, refs := range map[string][]build.Ref{"no image was pushed": nil, "WARNING: DRONE_CARD_PATH is not written: ": {{Name: "127.0.0.1:1/app:1", Digest: "sha256:" + strings.Repeat("0", 64)}}} {
		var log strings.Builder
		s.writeCard(t.Context(), registry.NewClient(registry.NewKeychain(nil, registry.AWS{}), 0), refs, Options{Stderr: &log})
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has %q, want %q", log.String(), want)
		}
	}
}

func TestPageOf(t *testing.T) {
	t.Parallel()
	for repository, want := range map[string]string{
		"index.docker.io/team/app":                              "https://hub.docker.com/r/team/app",
		"public.ecr.aws/team/app":                               "https://gallery.ecr.aws/team/app",
		"us-docker.pkg.dev/project/a/b":                         "https://us-docker.pkg.dev/project/a/b",
		"registry.example.com/team/app":                         "https://registry.example.com/team/app",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app": "https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/123456789012/team/app",
	} {
		if got := pageOf(repository); got != want {
			t.Errorf("%s: got %s, want %s", repository, got, want)
		}
	}
}
