package main

import (
	"context"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"

	"github.com/samforge/samforge/integration/testenv"
)

// irreducible builds and pushes what no build of a pair can leave out: it pulls and
// unpacks the node image, runs npm in it, and makes a layer of what that wrote. The
// lock is samforge's, with addresses, so that npm asks for nothing but archives.
func (s *serverlessBed) irreducible(ctx context.Context, d *testenv.Buildkitd, node, target string) (time.Duration, error) {
	layer, err := s.npmLayer(node)
	if err != nil {
		return 0, err
	}
	definition, err := layer.Marshal(ctx, llb.LinuxAmd64)
	if err != nil {
		return 0, err
	}
	c, err := d.Client(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	syscall.Sync() // as before every other row, see [bench.command]
	begin := time.Now()
	_, err = c.Solve(ctx, definition, client.SolveOpt{Exports: []client.ExportEntry{{
		Type: client.ExporterImage, Attrs: map[string]string{"name": target, "push": "true"},
	}}}, nil)
	return time.Since(begin), err
}

// npmScript installs into the layer, and removes what samforge leaves out too.
const npmScript = `set -e
mkdir -p /layer/opt/harness/serverless
cd /layer/opt/harness/serverless
cp /lock/package.json /lock/package-lock.json .
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --omit=dev
find . -name '*.d.[mc]ts' -o -name '*.d.ts' -o -name '*.map' -o -name CHANGELOG.md | xargs -d '\n' rm
`

// npmLayer is the layer that npm writes.
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
