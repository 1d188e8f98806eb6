package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/npm"
)

// The build file of the section on Serverless images, a copy with SAM images as node images, the
// framework version in both, and the next version.
const (
	serverlessFile = "examples/serverless/samforge.yaml"
	samNodesFile   = "integration/testdata/serverless-sam-nodes.yaml"
	framework      = "3.39.0"
	nextFramework  = "3.40.0"
)

// The files that samforge and the published pipeline download, on their vendors' sites.
const (
	newGoTemplate = "/public/shared/tools/go-template/release/v0.4.15/bin/linux/amd64/go-template"
	dockerArchive = "/linux/static/stable/x86_64/docker-20.10.24.tgz"
)

// pair is a runtime, its image and the image of its Node.js.
type pair struct{ runtime, image, node string }

// args build only the pair. The published pipeline has variables of the same names.
func (p pair) args() []string {
	return []string{"--build-arg", "RUNTIME_BASE_IMAGE_VERSION=" + p.image, "--build-arg", "NODEJS_BASE_IMAGE_VERSION=" + p.node}
}

// measuredPairs are the pairs that the published pipeline builds, with SAM images as node images.
// samforge also builds the first one alone.
func measuredPairs() []pair {
	return []pair{
		{"python3.12", testenv.Python312Base, testenv.Node20Base},
		{"java21", testenv.Java21Base, testenv.Node22Base},
	}
}

// lambdaPair is the first pair with the Node.js of Lambda's own base image.
func lambdaPair() pair {
	p := measuredPairs()[0]
	p.node = testenv.Lambda20Base
	return p
}

// runtimeImages are the images of the build file that are not node images.
func runtimeImages() []string {
	return []string{testenv.Java8AL2Base, testenv.Java17Base, testenv.Java21Base, testenv.Python311Base, testenv.Python312Base, testenv.Ruby32Base}
}

// nodeImages are the Lambda base images of the build file, samNodeImages the SAM
// images of the same runtimes.
func nodeImages() []string {
	return []string{testenv.Lambda18Base, testenv.Lambda20Base, testenv.Lambda22Base}
}

func samNodeImages() []string {
	return []string{testenv.Node18Base, testenv.Node20Base, testenv.Node22Base}
}

// serverlessBed is the test bed of the section, in addition to that of all sections.
type serverlessBed struct {
	*bench
	npm  *testenv.NPMRegistry
	file string   // the build file
	sam  string   // the same with SAM images as node images
	base v1.Image // the first pair's runtime image
	// Compressed sizes of its node images.
	lambdaMB, samMB int64
}

// prepareServerless publishes the stand-ins and starts an npm registry that has every package in
// its cache.
func (b *bench) prepareServerless(ctx context.Context) (_ *serverlessBed, err error) {
	b.say("making the images of nine pairs, and an npm registry with all packages that are installed from it")
	s := &serverlessBed{bench: b}
	if s.file, err = filepath.Abs(serverlessFile); err != nil {
		return nil, err
	}
	if s.sam, err = filepath.Abs(samNodesFile); err != nil {
		return nil, err
	}
	if s.npm, err = testenv.StartNPMRegistry(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.publishBases, s.publishKit, s.warmNPM} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.npm.Close())
		}
	}
	return s, nil
}

// publishBases publishes the runtimes of the nine pairs. Images that some row pulls have a
// realistic size.
func (s *serverlessBed) publishBases(ctx context.Context) error {
	set, err := testenv.ServerlessBases(ctx, testenv.ServerlessOptions{})
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for _, ref := range nodeImages() {
		sizes[ref] = lambdaPrograms
	}
	for _, ref := range samNodeImages() {
		sizes[ref] = samPrograms
	}
	for _, p := range measuredPairs() {
		sizes[p.image] = samPrograms
	}
	for _, ref := range slices.Concat(nodeImages(), samNodeImages(), runtimeImages()) {
		image, err := withSystemPath(set[ref][0]) // of amd64
		if err != nil {
			return err
		}
		if size, ok := sizes[ref]; ok {
			if image, err = withPrograms(image, ref, size); err != nil {
				return err
			}
		}
		if _, err := s.registry.Push(ref, image); err != nil {
			return err
		}
		if ref == measuredPairs()[0].image {
			s.base = image
		}
	}
	if s.lambdaMB, err = s.megabytesOf(ctx, lambdaPair().node); err != nil {
		return err
	}
	s.samMB, err = s.megabytesOf(ctx, measuredPairs()[0].node)
	return err
}

// megabytesOf returns the compressed size of an image.
func (s *serverlessBed) megabytesOf(ctx context.Context, ref string) (int64, error) {
	layers, err := s.registry.ImageLayers(ctx, ref)
	var total int64
	for _, size := range layers {
		total += size
	}
	return total >> 20, err
}

// The size, unpacked, of the files in pulled images besides Debian, Node.js and the CLIs. The files
// have 64 KiB each and compress to half. With them a Lambda base image has 95 MB and a SAM image
// 700 MB, like the real ones.
const (
	lambdaPrograms = 44 << 20
	samPrograms    = 1250 << 20
)

// withPrograms adds a tool chain to an image, in three layers, in a place that neither pipeline
// copies from.
func withPrograms(image v1.Image, ref string, size int64) (v1.Image, error) {
	options := testenv.ImageOptions{Arch: "amd64", Docker: true}
	for part, percent := range []int64{25, 45, 30} {
		options.Layers = append(options.Layers, testenv.Layer{Programs: size * percent / 100, Blob: fmt.Sprintf("%s-%d", path.Base(ref), part)})
	}
	added, err := testenv.Image(options)
	if err != nil {
		return nil, err
	}
	return withLayers(image, added)
}

// withLayers adds the layers of another image.
func withLayers(image, added v1.Image) (v1.Image, error) {
	layers, err := added.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		addendum := mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "RUN dnf upgrade -y # buildkit"}}
		if image, err = mutate.Append(image, addendum); err != nil {
			return nil, err
		}
	}
	return image, nil
}

// publishKit publishes everything that is added to the runtimes, except the framework.
func (s *serverlessBed) publishKit(ctx context.Context) error {
	plugin, err := testenv.PluginImage(ctx, testenv.PluginOptions{Kind: "serverless", Version: "1.1.0-beta", Arch: "amd64", BinarySize: pluginSize})
	if err != nil {
		return err
	}
	if _, err := s.registry.Push(testenv.ServerlessPlugin, plugin); err != nil {
		return err
	}
	goTemplate, err := testenv.Executable(ctx, "go-template", "amd64", "v0.4.15")
	if err != nil {
		return err
	}
	s.files.Add(newGoTemplate, testenv.Pad(goTemplate, goTemplateSize))
	docker, err := testenv.Executable(ctx, "docker", "amd64", "20.10.24")
	if err != nil {
		return err
	}
	archive, err := archiveOf("docker/docker", testenv.Pad(docker, dockerSize))
	s.files.Add(dockerArchive, archive)
	return err
}

// archiveOf returns a tgz file of one program.
func archiveOf(name string, program []byte) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(program); err != nil {
		return nil, err
	}
	err := errors.Join(archive.Close(), zip.Close())
	return out.Bytes(), err
}

// warmNPM makes the registry fetch the packages that are installed later. It keeps them, so no row
// waits for the network, for itself or for another row.
func (s *serverlessBed) warmNPM(ctx context.Context) error {
	// The published pipeline has no lock: npm installs the newest of everything.
	var locks [][]byte
	for _, version := range []string{framework, nextFramework} {
		newest, err := s.newestLock(ctx, version)
		if err != nil {
			return err
		}
		lock, err := frameworkLock(version)
		if err != nil {
			return err
		}
		locks = append(locks, newest, lock.Data)
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(8)
	for _, lock := range locks {
		_, archives, err := s.withAddresses(lock)
		if err != nil {
			return err
		}
		for _, address := range archives {
			eg.Go(func() error { return get(ctx, address) })
		}
	}
	return eg.Wait()
}

// newestLock returns the lock of what npm on this machine would install now.
func (s *serverlessBed) newestLock(ctx context.Context, version string) ([]byte, error) {
	dir, err := os.MkdirTemp(s.dir, "npm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := s.commandIn(ctx, dir, []string{"npm_config_cache=" + filepath.Join(dir, "cache")}, "npm",
		"install", "--registry", s.npm.URL(), "--package-lock-only", "--no-audit", "--no-fund", "serverless@"+version); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "package-lock.json"))
}

// frameworkLock returns samforge's lock for the version.
func frameworkLock(version string) (*npm.Lock, error) {
	lock, ok := npm.Embedded("serverless", version)
	if !ok {
		return nil, fmt.Errorf("there is no lock of serverless %s", version)
	}
	return lock, nil
}

// withAddresses sets the addresses of a lock's packages to those in the registry, and also returns
// them.
func (s *serverlessBed) withAddresses(lock []byte) (with []byte, addresses []string, err error) {
	var content map[string]any
	if err := json.Unmarshal(lock, &content); err != nil {
		return nil, nil, err
	}
	packages, _ := content["packages"].(map[string]any)
	for place, entry := range packages {
		locked, _ := entry.(map[string]any)
		const modules = "node_modules/"
		i := strings.LastIndex(place, modules)
		if i < 0 || locked == nil {
			continue
		}
		name := place[i+len(modules):]
		if alias, ok := locked["name"].(string); ok {
			name = alias
		}
		address := fmt.Sprintf("%s/%s/-/%s-%s.tgz", s.npm.URL(), name, path.Base(name), locked["version"])
		locked["resolved"], addresses = address, append(addresses, address)
	}
	with, err = json.Marshal(content)
	return with, addresses, err
}

// get downloads an address and drops the content.
func get(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// buildServerless runs `samforge build --push` on a build file.
func (s *serverlessBed) buildServerless(ctx context.Context, d *testenv.Buildkitd, file, repo string, args ...string) (result, error) {
	args = append([]string{"-f", file, "--mirror", "https://registry.npmjs.org/=" + s.npm.URL() + "/"}, args...)
	return s.build(ctx, d.Addr, repo, args...)
}
