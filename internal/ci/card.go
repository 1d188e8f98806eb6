package ci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docker/go-units"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/registry"
)

// cardSchema says how Drone and Harness show a card.
const cardSchema = "https://drone-plugins.github.io/drone-docker/card.json"

// card is the content of DRONE_CARD_PATH:
// https://github.com/drone-plugins/drone-docker/blob/master/card.go
type card struct {
	Schema string    `json:"schema"`
	Data   cardImage `json:"data"`
}

// cardImage has the fields of docker inspect that the schema shows.
type cardImage struct {
	ID             string `json:"Id"`
	RepoTags       []string
	ParsedRepoTags []cardTag
	RepoDigests    []string
	Comment        string
	Created        time.Time
	Author         string
	Architecture   string
	Os             string
	// Size is that of the compressed layers.
	Size, VirtualSize             int64
	Metadata                      cardMetadata
	SizeString, VirtualSizeString string
	Time                          string
	URL                           string
}

type cardTag struct{ Tag string }

type cardMetadata struct{ LastTagTime time.Time }

// writeCard writes DRONE_CARD_PATH about the first image of refs. A step does not fail by its card.
func (s *Step) writeCard(ctx context.Context, client *registry.Client, refs []build.Ref, o Options) {
	if s.cardPath == "" {
		return
	}
	if len(refs) == 0 {
		o.say("DRONE_CARD_PATH is not written: no image was pushed")
		return
	}
	c, err := cardOf(ctx, client, refs, time.Now().UTC())
	if err == nil {
		err = c.write(s.cardPath, o)
	}
	if err != nil {
		fmt.Fprintf(o.Stderr, "WARNING: DRONE_CARD_PATH is not written: %v\n", err)
	}
}

// cardOf returns the card of the first image of refs. Of an index it shows the first member.
func cardOf(ctx context.Context, client *registry.Client, refs []build.Ref, pushed time.Time) (*card, error) {
	repository, digest := registry.Repository(refs[0].Name), refs[0].Digest
	shown := repository + "@" + digest
	members, err := client.Members(ctx, shown)
	if err != nil {
		return nil, err
	}
	if len(members) > 0 {
		shown = members[0]
	}
	read, err := client.Read(ctx, shown)
	if err != nil {
		return nil, err
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(read.Manifest))
	if err != nil {
		return nil, fmt.Errorf("the manifest of %s: %w", shown, err)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(read.Config))
	if err != nil {
		return nil, fmt.Errorf("the configuration of %s: %w", shown, err)
	}
	image := cardImage{
		ID: manifest.Config.Digest.String(), RepoDigests: []string{repository + "@" + digest}, Created: config.Created.Time, Author: config.Author,
		Architecture: config.Architecture, Os: config.OS, Metadata: cardMetadata{pushed}, Time: pushed.Format(time.RFC3339), URL: pageOf(repository),
	}
	for _, ref := range refs {
		if ref.Digest == digest {
			image.RepoTags = append(image.RepoTags, ref.Name)
			image.ParsedRepoTags = append(image.ParsedRepoTags, cardTag{ref.Name})
		}
	}
	for _, step := range config.History {
		image.Comment = cmp.Or(step.Comment, image.Comment)
	}
	for _, layer := range manifest.Layers {
		image.Size += layer.Size
	}
	image.VirtualSize = image.Size
	image.SizeString = units.CustomSize("%.2f%s", float64(image.Size), 1024, []string{"B", "KB", "MB", "GB", "TB"})
	image.VirtualSizeString = image.SizeString
	return &card{cardSchema, image}, nil
}

// write writes a card to a file, or to the log in the form that Drone finds there.
func (c *card) write(path string, o Options) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	line := "\x1b]1338;" + base64.StdEncoding.EncodeToString(data) + "\x1b]0m\n"
	switch path {
	case "/dev/stdout":
		_, err = fmt.Fprint(o.Stdout, line)
	case "/dev/stderr":
		_, err = fmt.Fprint(os.Stderr, line) // o.Stderr would escape it
	default:
		err = write(path, data)
	}
	return err
}

// pageOf returns the address of a repository's page.
func pageOf(repository string) string {
	of, name, _ := strings.Cut(repository, "/")
	if account, region, ok := registry.ParseECRHost(of); ok {
		return fmt.Sprintf("https://%s.console.aws.amazon.com/ecr/repositories/private/%s/%s", region, account, name)
	}
	switch of {
	case "index.docker.io":
		return "https://hub.docker.com/r/" + name
	case "public.ecr.aws":
		return "https://gallery.ecr.aws/" + name
	}
	return "https://" + repository // Google's registries lead to their console
}
