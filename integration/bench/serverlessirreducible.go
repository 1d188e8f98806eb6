package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/integration/testenv"
)

// irreducible does the work that no build of a pair can avoid, and pushes the result: it pulls and
// unpacks the node image, runs npm in it, and makes a layer of what npm wrote. It uses samforge's
// lock with addresses, so that npm downloads only archives.
func (s *serverlessBed) irreducible(ctx context.Context, d *testenv.Buildkitd, node, repo string) (time.Duration, error) {
	layer, err := s.npmLayer(node)
	if err != nil {
		return 0, err
	}
	return s.pushLayers(ctx, d, repo, layer)
}

// irreducibleOfAll does the work that no build of the eighteen images can avoid: it pulls and
// unpacks the node images, makes a layer of each one's Node.js, and runs npm in one of them.
func (s *serverlessBed) irreducibleOfAll(ctx context.Context, d *testenv.Buildkitd, repo string) (time.Duration, error) {
	npm, err := s.npmLayer(nodeImages()[0])
	if err != nil {
		return 0, err
	}
	layers := []llb.State{npm}
	for _, node := range nodeImages() {
		ref, err := s.registry.Ref(node)
		if err != nil {
			return 0, err
		}
		tree := &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}
		files := llb.Copy(llb.Image(ref), "/var/lang/", "/var/lang/", tree).Copy(llb.Image(ref), "/opt/", "/opt/", tree)
		layers = append(layers, llb.Scratch().File(files))
	}
	return s.pushLayers(ctx, d, repo, layers...)
}

// pushLayers builds layers side by side, pushes each as its own image, and returns how long that
// took.
func (s *serverlessBed) pushLayers(ctx context.Context, d *testenv.Buildkitd, repo string, layers ...llb.State) (time.Duration, error) {
	c, err := d.Client(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	syscall.Sync() // as before every other row, see [bench.command]
	begin := time.Now()
	eg, ctx := errgroup.WithContext(ctx)
	for i, layer := range layers {
		eg.Go(func() error {
			definition, err := layer.Marshal(ctx, llb.LinuxAmd64)
			if err != nil {
				return err
			}
			_, err = c.Solve(ctx, definition, client.SolveOpt{Exports: []client.ExportEntry{{
				Type: client.ExporterImage, Attrs: map[string]string{"name": fmt.Sprintf("%s:%d", repo, i), "push": "true"},
			}}}, nil)
			return err
		})
	}
	err = eg.Wait()
	return time.Since(begin), err
}

// npmScript installs into the layer, and removes the files that samforge leaves out too. A Lambda
// base image has no find.
const npmScript = `set -e
mkdir -p /layer/opt/harness/serverless
cd /layer/opt/harness/serverless
cp /lock/package.json /lock/package-lock.json .
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --omit=dev
node -e 'for (const file of fs.readdirSync(".", { recursive: true }))
  if (/\.d\.[mc]?ts$|\.map$|CHANGELOG\.md$/.test(file)) fs.rmSync(file, { recursive: true, force: true })'
`

// npmLayer returns the layer that npm writes.
func (s *serverlessBed) npmLayer(node string) (llb.State, error) {
	lock, err := frameworkLock(framework)
	if err != nil {
		return llb.State{}, err
	}
	data, _, err := s.withAddresses(lock.Data)
	if err != nil {
		return llb.State{}, err
	}
	image, err := s.registry.Ref(node)
	if err != nil {
		return llb.State{}, err
	}
	description := llb.Scratch().File(
		llb.Mkfile("/package.json", 0o644, lock.PackageJSON()).Mkfile("/package-lock.json", 0o644, data))
	return llb.Image(image).Run(
		llb.Args([]string{"sh", "-c", npmScript}),
		llb.AddEnv("PATH", "/var/lang/bin:/usr/bin:/bin"),
		llb.AddEnv("HOME", "/root"), llb.AddEnv("npm_config_registry", s.npm.URL()),
		llb.AddMount("/lock", description, llb.Readonly),
		llb.AddMount("/root/.npm", llb.Scratch(), llb.AsPersistentCacheDir("npm", llb.CacheMountShared)),
	).AddMount("/layer", llb.Scratch()), nil
}
