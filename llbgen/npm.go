package llbgen

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/npm"
)

// npmPackage is an npm package in a kind's images, as the build file names it.
type npmPackage struct {
	field         string // of the build file, which has version and lock below it: "serverless"
	name, version string
	lock          string // path of a package-lock.json in the build context, or ""

	prefix   string   // folder in the image
	program  string   // file of the package that the commands start
	commands []string // their names
}

// embeddedLock returns the lock that samforge carries for a package, unless the build file names
// another one. The plan keeps it, because all images of a build file share one version.
func (p *Plan) embeddedLock(pkg npmPackage) (*npm.Lock, bool) {
	if pkg.lock != "" {
		return nil, false
	}
	p.locksMu.Lock()
	defer p.locksMu.Unlock()
	name := pkg.name + "@" + pkg.version
	lock, known := p.locks[name]
	if !known {
		lock, _ = npm.Embedded(pkg.name, pkg.version)
		if p.locks == nil {
			p.locks = map[string]*npm.Lock{}
		}
		p.locks[name] = lock
	}
	return lock, lock != nil
}

// npmTarget is the target whose node image npm runs in: the first one that takes a Lambda base
// image, which is the smallest to pull, or else the first one.
func (p *Plan) npmTarget() Target {
	i := slices.IndexFunc(p.Targets, func(t Target) bool {
		node, _ := catalogue.ParseNodeReference(t.Node)
		return node.Lambda && node.IsNode()
	})
	return p.Targets[max(i, 0)]
}

// npmLayer returns the layer of an npm package. npm runs in the node image of npmTarget on the
// builder's own platform, so all runtimes share the layer, whatever their own Node.js is.
func (b *build) npmLayer(ctx context.Context, pkg npmPackage) (llb.State, *npm.Lock, error) {
	lock, err := b.lock(ctx, pkg)
	if err != nil {
		return llb.State{}, nil, err
	}
	first := b.plan.npmTarget()
	field := first.path + ".node"
	node, err := b.imageOn(ctx, b.opt.BuildPlatform, field, nodeOn(b.opt.BuildPlatform, first.Node))
	if err != nil {
		return llb.State{}, nil, err
	}
	if node.Config == nil {
		return llb.State{}, nil, b.plan.At(field, fmt.Errorf("%s is replaced by plain files, and npm has to run in it: use docker-image:// or oci-layout://", first.Node))
	}
	install := npm.Install{
		Lock: lock, Prefix: pkg.prefix, Program: pkg.program, Commands: pkg.commands,
		Registry: b.plan.File.Mirrors.URL(npm.Registry),
	}
	step := npm.Step{
		Node: node.State, Env: node.Config.Config.Env, Arch: b.arch(),
		Epoch: DefaultEpoch(), // npm does not run again for another epoch
		Run:   b.opt.Run, CacheNamespace: b.opt.CacheNamespace,
		Name: func(format string, args ...any) []llb.ConstraintsOpt { return b.step(pkg.field, format, args...) },
	}
	installed := install.Layer(step)
	if lock.Trusted() {
		if b.opt.Epoch.Equal(DefaultEpoch()) {
			return installed, lock, nil
		}
	} else if b.plan.Verify != VerifyOff {
		installed = install.Check(step, installed, b.knownNode().Version)
	}
	// What was checked has a layer of its own.
	files := llb.Copy(installed, "/", "/", b.tree())
	return llb.Scratch().File(files, b.step(pkg.field, "copy %s", lock)...), lock, nil
}

// lock returns what npm installs from: the lock in the build context that the build file names,
// else the one that samforge carries, else none.
func (b *build) lock(ctx context.Context, pkg npmPackage) (*npm.Lock, error) {
	if pkg.lock == "" {
		field := pkg.field + ".version"
		lock, ok := b.plan.embeddedLock(pkg)
		if !ok {
			b.findf(RuleUnverifiedDownload, field, "%s", pkg.noLock())
			lock = npm.Unlocked(pkg.name, pkg.version)
		}
		return lock, b.pinLock(field, lock)
	}
	field := pkg.field + ".lock"
	data, err := b.opt.ReadFile(ctx, pkg.lock)
	if err != nil {
		return nil, b.plan.At(field, err)
	}
	lock, err := npm.Parse(data, pkg.name, pkg.version)
	if err != nil {
		return nil, b.plan.At(field, fmt.Errorf("%s: %w", pkg.lock, err))
	}
	if err := b.pinLock(field, lock); err != nil {
		return nil, err
	}
	return lock, b.checkLock(pkg, lock)
}

// validatePackage checks the version and the lock of a package, and reports whether they are valid.
func (p *Plan) validatePackage(pkg npmPackage, example string) bool {
	before := p.doc.Count()
	if !exactVersion.MatchString(pkg.version) {
		p.doc.Errorf(pkg.field+".version", "%q is not a version such as %s", pkg.version, example)
	} else if pkg.lock != "" {
		p.validateLockPath(pkg.field+".lock", pkg.lock)
	}
	return p.doc.Count() == before
}

// exactVersion matches one version, and no range or tag of npm, which would make the image's own
// tag untrue: https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions
var exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (p *Plan) validateLockPath(field, name string) {
	clean := path.Clean(name)
	switch {
	case clean == "." || !fs.ValidPath(clean):
		p.doc.Errorf(field, "%q is not a path within the build context: give one such as package-lock.json", name)
	case clean != name:
		p.doc.Errorf(field, "%q is not in its shortest form: write %s", name, clean)
	}
}

// pinLock checks that the npm lock is the one in the lock file.
func (b *build) pinLock(field string, lock *npm.Lock) error {
	name := lock.String()
	locked, err := b.lockedSum(field, name, func(l *Lockfile) map[string]digest.Digest { return l.Packages })
	if err != nil {
		return b.plan.At(field, err)
	}
	if lock.Data == nil {
		return nil // only the version is known, from the build file
	}
	sum := digest.FromBytes(lock.Data)
	if locked != "" && locked != sum {
		return b.plan.At(field, b.lockMismatch(name, locked, sum, "its npm lock"))
	}
	b.input(Input{Kind: InputPackage, Field: field, Name: name, Digest: sum})
	return nil
}

// checkLock refuses a lock from the build context whose packages do not run on the image's
// architecture, or on its Node.js, if the catalogue knows that.
func (b *build) checkLock(pkg npmPackage, lock *npm.Lock) error {
	if b.plan.Verify == VerifyOff {
		return nil
	}
	if foreign := lock.Foreign(b.arch()); len(foreign) > 0 {
		return b.plan.doc.At(pkg.field+".lock", "%s needs packages that are not made for linux/%s with glibc (%s): use versions that are, or leave them out",
			pkg.lock, b.arch(), strings.Join(foreign, ", "))
	}
	at := b.target.path + ".node"
	node := b.knownNode()
	problem, advice := lock.OnNode(node.Name, node.Version)
	if problem != "" {
		return b.plan.doc.At(at, "%s", problem)
	}
	if advice != "" {
		b.findf(RuleUnknownPair, at, "%s", advice)
	}
	return nil
}

// noLock says what a version without a lock means.
func (pkg npmPackage) noLock() string {
	return fmt.Sprintf("samforge has no lock of %s %s, and npm resolves it afresh: the image is not reproducible; use %s, or name a lock with %s.lock (%s)",
		pkg.name, pkg.version, strings.Join(npm.EmbeddedVersions(pkg.name), " or "), pkg.field, npm.MakeLock(pkg.name, pkg.version))
}

// nodeOn returns the reference of the node image for a platform. If its tag names an architecture,
// it is replaced by the platform's.
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
