package llbgen

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Where the Serverless Framework is in the image.
const (
	frameworkDir     = "/opt/harness/serverless"
	frameworkBinDir  = frameworkDir + "/bin"
	frameworkModules = frameworkDir + "/node_modules"
)

// frameworkFlavors are the npm packages that the framework is installed from.
func frameworkFlavors() []string { return []string{DefaultFlavor, "osls"} }

// Where npm works while the framework is installed.
const (
	npmWorkDir  = "/samforge/install"
	npmLayerDir = "/samforge/layer"
	npmCacheDir = "/samforge/npm-cache"
	npmRegistry = "https://registry.npmjs.org/"
	npmCheckDir = "/samforge/npm-check"
)

// installScript runs npm in the node image.
//
//go:embed install.cjs
var installScript []byte

// installCheck looks at what npm installed.
//
//go:embed check.cjs
var installCheck []byte

// The secrets that the npm step takes, all optional.
const (
	// SecretNPMRC is an npm configuration, for a registry that wants
	// credentials.
	SecretNPMRC = "npmrc"
	// SecretCA is a bundle of certificates to trust beside Node.js's own.
	SecretCA = "ca"
)

// framework adds the Serverless Framework, installed by npm, or from a release
// archive where there is no npm package of it.
func (b *build) framework(ctx context.Context) (*Layer, error) {
	s := b.plan.File.Serverless
	if s.fromArchive() {
		return b.frameworkArchive(ctx)
	}
	lock, err := b.lock(ctx)
	if err != nil {
		return nil, err
	}
	program := path.Join(frameworkModules, s.Flavor, "bin/serverless.js")
	installed, err := b.install(ctx, lock, program)
	if err != nil {
		return nil, err
	}
	source := fmt.Sprintf("npm package %s@%s", s.Flavor, s.Version)
	known := lock.software(b.arch())
	if lock.embedded && b.opt.Epoch.Equal(DefaultEpoch()) {
		return b.newFrameworkLayer(installed, source, known), nil
	}
	// What was checked has a layer of its own, and npm does not run again for
	// another time of the files.
	files := llb.Copy(installed, "/", "/", b.tree())
	return b.newFrameworkLayer(llb.Scratch().File(files, b.step("serverless", "copy %s@%s", s.Flavor, s.Version)...), source, known), nil
}

// lock returns what npm installs from: the lock in the build context that the
// build file names, else the one that samforge carries, else none.
func (b *build) lock(ctx context.Context) (*Lock, error) {
	s := b.plan.File.Serverless
	if s.Lock == "" {
		lock, ok := s.embeddedLock()
		if !ok {
			b.findf(RuleUnverifiedDownload, "serverless.version", "%s", s.noLock())
			lock = unlocked(s.Flavor, s.Version)
		}
		return lock, b.pinLock("serverless.version", lock)
	}
	data, err := b.opt.ReadFile(ctx, s.Lock)
	if err != nil {
		return nil, b.plan.At("serverless.lock", err)
	}
	lock, err := ParseLock(data, s.Flavor, s.Version)
	if err != nil {
		return nil, b.plan.At("serverless.lock", fmt.Errorf("%s: %w", s.Lock, err))
	}
	if err := b.pinLock("serverless.lock", lock); err != nil {
		return nil, err
	}
	return lock, b.checkLock(lock)
}

// pinLock makes sure that the npm lock is the one of the lock file.
func (b *build) pinLock(field string, lock *Lock) error {
	name := lock.Package + "@" + lock.Version
	locked, err := b.lockedSum(field, name, func(l *Lockfile) map[string]digest.Digest { return l.Packages })
	if err != nil {
		return b.plan.At(field, err)
	}
	if lock.Data == nil {
		return nil // the build file's own version, and no more
	}
	sum := digest.FromBytes(lock.Data)
	if locked != "" && locked != sum {
		return b.plan.At(field, b.lockMismatch(name, locked, sum, "its npm lock"))
	}
	b.input(Input{Kind: InputPackage, Field: field, Name: name, Digest: sum})
	return nil
}

// noLock says what comes of a version without a lock.
func (s Serverless) noLock() string {
	return fmt.Sprintf("samforge has no lock of %s %s, and npm resolves it afresh: the image is not reproducible; use %s, or name a lock with serverless.lock (%s)",
		s.Flavor, s.Version, strings.Join(EmbeddedVersions(s.Flavor), " or "), makeLock(s.Flavor, s.Version))
}

// embeddedLock returns the lock that samforge carries for the version, unless
// the build file names another one.
func (s Serverless) embeddedLock() (*Lock, bool) {
	if s.Lock != "" {
		return nil, false
	}
	return EmbeddedLock(s.Flavor, s.Version)
}

// frameworkLayer adds the commands that start program to its files.
func (b *build) frameworkLayer(files *llb.FileAction, program, source string, known software) *Layer {
	s := b.plan.File.Serverless
	files = files.Copy(b.frameworkCommands(program), "/", frameworkBinDir+"/", b.tree()).
		Copy(b.directories(frameworkDir), "/", "/", b.tree())
	return b.newFrameworkLayer(llb.Scratch().File(files, b.step("serverless", "copy %s@%s", s.Flavor, s.Version)...), source, []software{known})
}

func (b *build) newFrameworkLayer(state llb.State, source string, known []software) *Layer {
	s := b.plan.File.Serverless
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

// npmTarget is the target whose node image npm runs in: the first one that takes a
// Lambda base image, which is the smallest to pull, or else the first one.
func (p *Plan) npmTarget() Target {
	i := slices.IndexFunc(p.Targets, func(t Target) bool {
		node, _ := parseNodeReference(t.Node)
		return node.Lambda && node.isNode()
	})
	return p.Targets[max(i, 0)]
}

// install runs npm in a node image of the build file, see npmTarget, on the
// builder's own platform. It writes to a mount of its own, so that the result
// depends on the lock and that image alone, and all runtimes share it whatever
// their own Node.js is. The mount is a layer as it is, as copying twenty thousand
// files takes its time.
func (b *build) install(ctx context.Context, lock *Lock, program string) (llb.State, error) {
	first := b.plan.npmTarget()
	field := first.path + ".node"
	node, err := b.imageOn(ctx, b.opt.BuildPlatform, field, nodeOn(b.opt.BuildPlatform, first.Node))
	if err != nil {
		return llb.State{}, err
	}
	if node.Config == nil {
		return llb.State{}, b.plan.At(field, fmt.Errorf("%s is replaced by plain files, and npm has to run in it: use docker-image:// or oci-layout://", first.Node))
	}
	opts := append(slices.Clone(b.opt.Run),
		llb.Args(append([]string{languageDir + "/bin/node", "install.cjs", npmLayerDir, frameworkDir, strconv.FormatInt(DefaultEpoch().Unix(), 10),
			lock.npmCommand(), "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--omit=dev"}, b.npmFlags(lock)...)),
		llb.Dir(npmWorkDir),
		llb.AddMount(npmWorkDir, b.npmFolder(lock, program), llb.Readonly),
		llb.AddMount(npmCacheDir, llb.Scratch(), llb.AsPersistentCacheDir(path.Join(b.opt.CacheNamespace, "samforge-npm"), llb.CacheMountShared)),
		llb.AddSecret("/samforge/npmrc", llb.SecretID(SecretNPMRC), llb.SecretOptional),
		llb.AddSecret("/samforge/ca.pem", llb.SecretID(SecretCA), llb.SecretOptional),
	)
	for _, variable := range npmEnv(node.Config.Config.Env, b.plan.File.Mirrors.URL(npmRegistry)) {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	if b.opt.Proxy != nil {
		opts = append(opts, llb.WithProxy(*b.opt.Proxy))
	}
	for _, o := range b.step("serverless", "npm %s %s@%s", lock.npmCommand(), lock.Package, lock.Version) {
		opts = append(opts, o)
	}
	installed := node.State.Run(opts...).AddMount(npmLayerDir, llb.Scratch())
	if lock.embedded || b.plan.Verify == VerifyOff {
		return installed, nil
	}
	return b.checkInstalled(node, installed, lock), nil
}

// npmFolder is what the framework is installed from: its package.json and its
// lock, the script that has npm do it, and the commands that start program.
func (b *build) npmFolder(lock *Lock, program string) llb.State {
	files, name := llb.Mkfile("/package.json", 0o644, lock.PackageJSON()), "package.json"
	if lock.Data != nil {
		files, name = files.Mkfile("/package-lock.json", 0o644, lock.Data), "lock"
	}
	files = files.Mkfile("/install.cjs", 0o644, installScript).Mkdir("/bin", 0o755)
	for _, name := range slices.Compact([]string{lock.Package, "serverless", "sls"}) {
		files = files.Mkfile("/bin/"+name, 0o755, startScript(program))
	}
	return llb.Scratch().File(files,
		b.step("serverless", "write the %s of %s@%s", name, lock.Package, lock.Version)...)
}

// npmCommand is `npm ci`, which keeps to a lock, where there is one.
func (l *Lock) npmCommand() string {
	if l.Data == nil {
		return "install"
	}
	return "ci"
}

// checkInstalled refuses what would not run in the image. No lock tells that:
// a package may have native modules for this architecture and that, or need its
// install script for them. The locks that samforge carries have no such
// packages.
func (b *build) checkInstalled(node *SourceImage, installed llb.State, lock *Lock) llb.State {
	script := llb.Scratch().File(llb.Mkfile("/check.cjs", 0o644, installCheck),
		b.step("serverless", "write the check of what npm installed")...)
	opts := append(slices.Clone(b.opt.Run),
		llb.Args([]string{languageDir + "/bin/node", npmCheckDir + "/check.cjs", b.arch(), lock.Package, b.knownNode().Version}),
		llb.Dir(npmLayerDir+frameworkDir),
		llb.Network(pb.NetMode_NONE),
		llb.AddMount(npmCheckDir, script, llb.Readonly),
	)
	for _, variable := range node.Config.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	for _, o := range b.step("serverless", "check that %s@%s runs on linux/%s", lock.Package, lock.Version, b.arch()) {
		opts = append(opts, o)
	}
	return node.State.Run(opts...).AddMount(npmLayerDir, installed)
}

// npmFlags have npm install for the image's platform and not for the one it runs
// on. Most of the locks that samforge carries name nothing that is made for one
// architecture: without the flags, one install serves all.
func (b *build) npmFlags(lock *Lock) []string {
	bound := slices.ContainsFunc(lock.Native(), func(n NativePackage) bool { return n.RunsOn("amd64") != n.RunsOn("arm64") })
	if lock.embedded && !bound {
		return nil
	}
	flags := []string{"--os=linux", "--libc=glibc", "--cpu=" + npmCPU(b.arch())}
	if lock.Data == nil {
		flags = append(flags, "--omit-lockfile-registry-resolved") // the record of what was installed stays in the image
	}
	return flags
}

// npmCPU is what npm and Node.js call an architecture.
func npmCPU(arch string) string {
	if arch == "amd64" {
		return "x64"
	}
	return arch
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

// frameworkCommands are `serverless` and `sls`.
func (b *build) frameworkCommands(program string) llb.State {
	return llb.Scratch().File(
		llb.Mkfile("/serverless", 0o755, startScript(program)).Mkfile("/sls", 0o755, startScript(program)),
		b.step("serverless", "write the commands serverless and sls")...)
}

// startScript starts a program with the node that is on PATH.
func startScript(program string) []byte {
	return []byte("#!/bin/sh\nexec node " + program + " \"$@\"\n")
}
