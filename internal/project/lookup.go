package project

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/llbgen"
)

// lookup gives a plan what it needs from outside without a builder: images out of
// their registries, and files of the build context.
type lookup struct {
	plan     *llbgen.Plan
	context  mainContext
	registry *registry.Resolver
	sums     sync.Map // func() (digest.Digest, error) by URL
}

// options are those for one platform, on a builder of another one.
func (l *lookup) options(platform, builder ocispecs.Platform) llbgen.Options {
	return llbgen.Options{
		Platform:      platform,
		BuildPlatform: builder,
		Resolve:       l.resolve,
		ReadFile:      l.readFile,
	}
}

// source is the reference that an image is fetched by.
func (l *lookup) source(ref string, pin llbgen.Pin) (name, from string, err error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", "", fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	name = reference.TagNameOnly(named).String()
	from = l.plan.File.Mirrors.Image(name)
	if pin.Digest != "" {
		from += "@" + pin.Digest.String()
	}
	return name, from, nil
}

func (l *lookup) resolve(_ context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
	name, from, err := l.source(ref, pin)
	if err != nil {
		return nil, err
	}
	found, err := l.registry.Resolve(from, platform)
	if err != nil {
		return nil, err
	}
	var config dockerspec.DockerOCIImage
	if err := json.Unmarshal(found.Config, &config); err != nil {
		return nil, fmt.Errorf("read the image config of %s: %w", from, err)
	}
	return &llbgen.SourceImage{
		Name:     name,
		Digest:   digest.Digest(found.Digest),
		Manifest: digest.Digest(found.Manifest),
		State:    llb.Image(from, llb.Platform(platform)),
		Config:   &config,
	}, nil
}

func (l *lookup) readFile(_ context.Context, name string) ([]byte, error) {
	if l.context.folder == "" {
		return nil, fmt.Errorf("the build context is %s, and only a folder can be read without a builder", l.context.address)
	}
	return os.ReadFile(filepath.Join(l.context.folder, name))
}

// download fetches a file, once, and returns its checksum.
func (l *lookup) download(ctx context.Context, url, _ string) (digest.Digest, error) {
	once, _ := l.sums.LoadOrStore(url, sync.OnceValues(func() (digest.Digest, error) { return checksum(ctx, url) }))
	return once.(func() (digest.Digest, error))()
}

func checksum(ctx context.Context, url string) (_ digest.Digest, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server says %s", res.Status)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, res.Body); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, hash), nil
}
