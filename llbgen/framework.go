package llbgen

import (
	"context"
	"fmt"
	"slices"

	"github.com/moby/buildkit/client/llb"

	"github.com/samforge/samforge/npm"
)

// Where the Serverless Framework is in the image.
const (
	frameworkDir    = "/opt/harness/serverless"
	frameworkBinDir = frameworkDir + "/bin"
)

// frameworkFlavors are the npm packages that the framework is installed from.
func frameworkFlavors() []string { return []string{DefaultFlavor, "osls"} }

// npm is the framework as an npm package.
func (s Serverless) npm() npmPackage {
	return npmPackage{
		field: "serverless", name: s.Flavor, version: s.Version, lock: s.Lock,
		prefix: frameworkDir, program: "bin/serverless.js",
		commands: slices.Compact([]string{s.Flavor, "serverless", "sls"}),
	}
}

// framework adds the Serverless Framework, installed by npm, or from a release archive where there
// is no npm package of it.
func (b *build) framework(ctx context.Context) (*Layer, error) {
	s := b.plan.File.serverless()
	if s.fromArchive() {
		return b.frameworkArchive(ctx)
	}
	installed, lock, err := b.npmLayer(ctx, s.npm())
	if err != nil {
		return nil, err
	}
	return b.newFrameworkLayer(installed, fmt.Sprintf("npm package %s", lock), npmSoftware(lock, b.arch())), nil
}

// frameworkLayer adds the commands that start program to its files.
func (b *build) frameworkLayer(files *llb.FileAction, program, source string, known software) *Layer {
	s := b.plan.File.serverless()
	files = files.Copy(b.frameworkCommands(program), "/", frameworkBinDir+"/", b.tree()).
		Copy(b.directories(frameworkDir), "/", "/", b.tree())
	return b.newFrameworkLayer(llb.Scratch().File(files, b.step("serverless", "copy %s@%s", s.Flavor, s.Version)...), source, []software{known})
}

func (b *build) newFrameworkLayer(state llb.State, source string, known []software) *Layer {
	s := b.plan.File.serverless()
	return &Layer{
		Name:   "serverless",
		Source: source,
		Field:  "serverless",
		State:  state,
		labels: map[string]string{labelFrameworkName: s.Flavor, labelFrameworkVersion: s.Version},
		checks: []check{{name: "serverless", field: "serverless", script: "serverless --version"}},

		software: known,
	}
}

// frameworkCommands are `serverless` and `sls`.
func (b *build) frameworkCommands(program string) llb.State {
	return llb.Scratch().File(
		llb.Mkfile("/serverless", 0o755, npm.Command(program)).Mkfile("/sls", 0o755, npm.Command(program)),
		b.step("serverless", "write the commands serverless and sls")...)
}
