package llbgen

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Where the Serverless Framework is in the image.
const (
	frameworkDir     = "/opt/harness/serverless"
	frameworkBinDir  = frameworkDir + "/bin"
	frameworkModules = frameworkDir + "/node_modules"
)

// Where npm works while the framework is installed.
const (
	npmWorkDir  = "/samforge/install"
	npmCacheDir = "/samforge/npm-cache"
	npmRegistry = "https://registry.npmjs.org/"
)

// installScript runs npm in the node image.
//
//go:embed install.cjs
var installScript []byte

// The secrets that the npm step takes, all optional.
const (
	// SecretNPMRC is an npm configuration, for a registry that wants
	// credentials.
	SecretNPMRC = "npmrc"
	// SecretCA is a bundle of certificates to trust beside Node.js's own.
	SecretCA = "ca"
)

// uselessFiles are what nothing reads at run time: type declarations and source
// maps of the packages, and their change logs.
func uselessFiles() []string {
	return []string{"**/*.d.ts", "**/*.d.mts", "**/*.d.cts", "**/*.map", "**/CHANGELOG.md"}
}

// framework adds the Serverless Framework, installed from its lock, or from a
// release archive where there is no npm package of it.
func (b *build) framework(ctx context.Context) (*Layer, error) {
	s := b.plan.File.Serverless
	if s.fromArchive() {
		return b.frameworkArchive(ctx)
	}
	lock, ok := EmbeddedLock(s.Flavor, s.Version)
	if !ok {
		return nil, fmt.Errorf("there is no lock of %s %s", s.Flavor, s.Version)
	}
	installed, err := b.install(ctx, lock)
	if err != nil {
		return nil, err
	}
	modules := b.tree()
	modules.ExcludePatterns = uselessFiles()
	files := llb.Copy(installed, "/node_modules/", frameworkModules+"/", modules)
	program := path.Join(frameworkModules, s.Flavor, "bin/serverless.js")
	return b.frameworkLayer(files, program, fmt.Sprintf("npm package %s@%s", s.Flavor, s.Version)), nil
}

// frameworkLayer adds the commands that start program to its files.
func (b *build) frameworkLayer(files *llb.FileAction, program, source string) *Layer {
	s := b.plan.File.Serverless
	files = files.Copy(b.frameworkCommands(program), "/", frameworkBinDir+"/", b.tree()).
		Copy(b.directories(frameworkDir), "/", "/", b.tree())
	return &Layer{
		Name:   "serverless",
		Source: source,
		Field:  "serverless",
		State:  llb.Scratch().File(files, b.step("serverless", "copy %s@%s", s.Flavor, s.Version)...),
		labels: map[string]string{labelFrameworkName: s.Flavor, labelFrameworkVersion: s.Version},
		checks: []check{{name: "serverless", field: "serverless", script: "serverless --version"}},
	}
}

// install runs npm in the node image, on the builder's own platform. It writes to a mount of its own, so that the
// result depends on the lock and the node image alone and every runtime shares
// it.
func (b *build) install(ctx context.Context, lock *Lock) (llb.State, error) {
	field := b.target.path + ".node"
	node, err := b.imageOn(ctx, b.opt.BuildPlatform, field, nodeOn(b.opt.BuildPlatform, b.target.Node))
	if err != nil {
		return llb.State{}, err
	}
	if node.Config == nil {
		return llb.State{}, b.plan.At(field, fmt.Errorf("%s is replaced by plain files, and npm has to run in it: use docker-image:// or oci-layout://", b.target.Node))
	}
	description := llb.Scratch().File(
		llb.Mkfile("/package.json", 0o644, lock.PackageJSON()).
			Mkfile("/package-lock.json", 0o644, lock.Data).
			Mkfile("/install.cjs", 0o644, installScript),
		b.step("serverless", "write the lock of %s@%s", lock.Package, lock.Version)...)
	opts := []llb.RunOption{
		llb.Args(append([]string{languageDir + "/bin/node", "install.cjs",
			"--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev"}, b.platformFlags(lock)...)),
		llb.Dir(npmWorkDir),
		llb.AddMount(npmCacheDir, llb.Scratch(), llb.AsPersistentCacheDir("samforge-npm", llb.CacheMountShared)),
		llb.AddSecret("/samforge/npmrc", llb.SecretID(SecretNPMRC), llb.SecretOptional),
		llb.AddSecret("/samforge/ca.pem", llb.SecretID(SecretCA), llb.SecretOptional),
	}
	for _, variable := range npmEnv(node.Config.Config.Env, b.plan.File.Mirrors.URL(npmRegistry)) {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	if b.opt.Proxy != nil {
		opts = append(opts, llb.WithProxy(*b.opt.Proxy))
	}
	for _, o := range b.step("serverless", "npm ci %s@%s", lock.Package, lock.Version) {
		opts = append(opts, o)
	}
	return node.State.Run(opts...).AddMount(npmWorkDir, description), nil
}

// platformFlags have npm install for the image's platform and not for the one it
// runs on. Most locks name nothing that is made for one architecture: without
// the flags, one install serves all.
func (b *build) platformFlags(lock *Lock) []string {
	bound := slices.ContainsFunc(lock.Native(), func(n NativePackage) bool { return n.RunsOn("amd64") != n.RunsOn("arm64") })
	if !bound {
		return nil
	}
	cpu := map[string]string{"amd64": "x64", "arm64": "arm64"}[b.arch()]
	return []string{"--os=linux", "--libc=glibc", "--cpu=" + cpu}
}

// npmEnv is the node image's environment and npm's configuration. The secrets
// are named whether they are there or not: npm and Node.js go on without.
func npmEnv(image []string, registry string) []string {
	return append(append([]string{}, image...),
		"HOME=/root",
		"npm_config_cache="+npmCacheDir,
		"npm_config_registry="+registry,
		"npm_config_userconfig=/samforge/npmrc",
		"npm_config_fetch_retries=3",
		"npm_config_fetch_retry_mintimeout=1000",
		"npm_config_fetch_retry_factor=2",
		"npm_config_fetch_retry_maxtimeout=20000",
		"npm_config_fetch_timeout=60000",
		"NODE_EXTRA_CA_CERTS=/samforge/ca.pem",
	)
}

// nodeOn returns the reference of the node image for a platform: where a tag
// names an architecture, the same tag for the platform's.
func nodeOn(platform ocispecs.Platform, ref string) string {
	for _, suffix := range []string{"-x86_64", "-arm64"} {
		if rest, ok := strings.CutSuffix(ref, suffix); ok {
			if platform.Architecture == "arm64" {
				return rest + "-arm64"
			}
			return rest + "-x86_64"
		}
	}
	return ref
}

// frameworkCommands are `serverless` and `sls`. They find node on PATH.
func (b *build) frameworkCommands(program string) llb.State {
	script := []byte("#!/bin/sh\nexec node " + program + " \"$@\"\n")
	return llb.Scratch().File(
		llb.Mkfile("/serverless", 0o755, script).Mkfile("/sls", 0o755, script),
		b.step("serverless", "write the commands serverless and sls")...)
}
