package llbgen

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/npm"
)

// serverlessKind makes the images in which CI steps run the Serverless Framework: for each runtime
// one with Node.js and the plugin ("base"), and one with the framework too ("serverless").
type serverlessKind struct{ nodeKind }

// The variants of a Serverless image.
const (
	variantBase       = "base"
	variantServerless = "serverless"
)

func (serverlessKind) name() string { return "serverless" }
func (serverlessKind) help() string { return "the Serverless Framework" }
func (serverlessKind) section() any { return &Serverless{} }

func (serverlessKind) variants() []string { return []string{variantBase, variantServerless} }

func (serverlessKind) build(ctx context.Context, b *build) (*Image, error) {
	node := b.nodeStage()
	r := recipe{
		entrypoint: pluginScriptsDir + "/serverless-plugin.sh",
		user:       "root",
		path:       node.path,
		layers: []layerFunc{
			node.layer,
			b.plugin(harnessPlugin("harness-serverless-plugin", "serverless-plugin.sh")),
			b.goTemplate,
			b.dockerCLI,
		},
		checks: append(b.baseChecks(), node.checks...),
	}
	if b.target.Variant == variantServerless {
		r.layers = append(r.layers, b.framework)
		r.path = append([]string{frameworkBinDir}, r.path...)
	}
	return b.assemble(ctx, r)
}

// Where the Serverless Framework is in the image.
const (
	frameworkDir    = "/opt/harness/serverless"
	frameworkBinDir = frameworkDir + "/bin"
)

// frameworkFlavors are the npm packages that the framework can be installed from.
func frameworkFlavors() []string { return []string{DefaultFlavor, "osls"} }

// npm returns the framework as an npm package.
func (s Serverless) npm() npmPackage {
	return npmPackage{
		field: "serverless", name: s.Flavor, version: s.Version, lock: s.Lock,
		prefix: frameworkDir, program: "bin/serverless.js",
		commands: slices.Compact([]string{s.Flavor, "serverless", "sls"}),
	}
}

// framework adds the Serverless Framework, installed by npm, or from a release archive if it is not
// an npm package.
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

// frameworkLayer returns the layer of files, with the commands that start program.
func (b *build) frameworkLayer(files *llb.FileAction, program, source string, known software) *Layer {
	s := b.plan.File.serverless()
	files = files.Copy(b.frameworkCommands(program), "/", frameworkBinDir+"/", b.tree()).
		Copy(b.directories(frameworkDir), "/", "/", b.tree())
	return b.newFrameworkLayer(llb.Scratch().File(files, b.step("serverless", "copy %s@%s", s.Flavor, s.Version)...), source, []software{known})
}

func (b *build) newFrameworkLayer(state llb.State, source string, known []software) *Layer {
	s := b.plan.File.serverless()
	return &Layer{
		Name:     "serverless",
		Source:   source,
		Field:    "serverless",
		State:    state,
		labels:   frameworkLabels(s.Flavor, s.Version),
		checks:   []check{{name: "serverless", field: "serverless", script: "serverless --version"}},
		software: known,
	}
}

// frameworkCommands returns the commands serverless and sls.
func (b *build) frameworkCommands(program string) llb.State {
	return llb.Scratch().File(
		llb.Mkfile("/serverless", 0o755, npm.Command(program)).Mkfile("/sls", 0o755, npm.Command(program)),
		b.step("serverless", "write the commands serverless and sls")...)
}

// frameworkArchiveURL is where the vendor publishes the releases of Serverless Framework 4, without
// checksums. The npm package of that name is an installer that fetches whatever release it finds at
// run time.
const frameworkArchiveURL = "https://install.serverless.com/archives/serverless-{{.Version}}.tgz"

// frameworkArchiveNode is the oldest Node.js that Serverless Framework 4 runs on, by the engines of
// its npm package. It is a major version, as the tags of node images name no minor one.
const frameworkArchiveNode = "18"

// The places in a release archive and in the image.
const (
	archivePackage = "/package"
	frameworkCore  = frameworkDir + "/package/dist/sf-core.js"
)

// fromArchive reports whether the framework is a release archive and not an npm package.
func (s Serverless) fromArchive() bool {
	return s.Flavor == DefaultFlavor && strings.HasPrefix(s.Version, "4.")
}

// frameworkArchive adds a release of Serverless Framework 4. Its dependencies are in the archive:
// nothing is executed, and nothing is installed at run time. The image has no licence key: the
// framework reads it from its environment.
func (b *build) frameworkArchive(ctx context.Context) (*Layer, error) {
	s := b.plan.File.serverless()
	url, err := expandURL(frameworkArchiveURL, urlFields{Version: s.Version, Arch: b.arch()})
	if err != nil {
		return nil, err
	}
	archive, err := b.fetch(ctx, "serverless", url, s.SHA256, "sha256: %s", content{path: strings.TrimPrefix(frameworkCore, frameworkDir+"/")})
	if err != nil {
		return nil, b.plan.At("serverless", err)
	}
	unpacked := llb.Scratch().File(
		llb.Copy(archive.state, archive.name, "/", &llb.CopyInfo{AttemptUnpack: true, ChownOpt: rootOwner(), CreatedTime: &b.opt.Epoch}),
		b.step("serverless", "unpack %s", url)...)
	release := b.sourceTree()
	release.ExcludePatterns = b.foreignPrograms()
	files := llb.Copy(unpacked, archivePackage+"/", frameworkDir+archivePackage+"/", release)
	known := archive.software(s.Flavor, s.Version)
	known.purpose, known.comment = purposeFramework, "The archive has its dependencies in it, which are not named here."
	return b.frameworkLayer(files, frameworkCore, "download "+url, known), nil
}

// foreignPrograms matches the archive's copies of esbuild for other platforms.
func (b *build) foreignPrograms() []string {
	other := map[string]string{"amd64": "arm64", "arm64": "x64"}[b.arch()]
	var patterns []string
	for _, platform := range []string{"darwin-*", "win32-*", "linux-" + other} {
		patterns = append(patterns, fmt.Sprintf("**/@esbuild/%s", platform))
	}
	return patterns
}

// ServerlessBaseTag and ServerlessTag are the templates of the tags of the two variants. Arch is
// empty for an index of several platforms.
const (
	ServerlessBaseTag = "{{.Runtime}}-{{.Version}}{{with .Arch}}-linux-{{.}}{{end}}"
	ServerlessTag     = "{{.Runtime}}-{{.ServerlessVersion}}-{{.Version}}{{with .Arch}}-linux-{{.}}{{end}}"
)

func (serverlessKind) tag(variant string) string {
	if variant == variantServerless {
		return ServerlessTag
	}
	return ServerlessBaseTag
}

func (serverlessKind) tagFields(f *File) map[string]string {
	return map[string]string{"ServerlessVersion": f.serverless().Version}
}

func (serverlessKind) describe(p *Plan, t Target) string {
	what := t.Runtime + " with Node.js"
	if t.Variant == variantServerless {
		s := p.File.serverless()
		return what + ", the plugin and " + s.Flavor + " " + s.Version
	}
	return what + " and the plugin"
}

func (k serverlessKind) setDefaults(f *File) {
	k.nodeKind.setDefaults(f)
	s := f.serverless()
	s.Flavor = cmp.Or(s.Flavor, DefaultFlavor)
	if s.Flavor == "osls" {
		s.Version = cmp.Or(s.Version, DefaultOSLSVersion)
	}
	s.Version = cmp.Or(s.Version, DefaultServerlessVersion)
}

func (k serverlessKind) validate(p *Plan) {
	k.nodeKind.validate(p)
	if s := p.File.serverless(); !slices.Contains(frameworkFlavors(), s.Flavor) {
		p.doc.Errorf("serverless.flavor", "unknown flavor %q: use %s", s.Flavor, strings.Join(frameworkFlavors(), " or "))
		return
	}
	p.validateFramework()
}

func (serverlessKind) packageOf(f *File, variant string) (npmPackage, bool) {
	s := f.serverless()
	return s.npm(), variant == variantServerless && !s.fromArchive()
}

func (serverlessKind) checkNode(p *Plan, at string, node catalogue.Runtime) {
	s := p.File.serverless()
	if s.fromArchive() && compareVersions(node.Version, frameworkArchiveNode) < 0 {
		p.doc.Errorf(at, "Serverless Framework %s needs Node.js %s or later, and %s has %s", s.Version, frameworkArchiveNode, node.Name, node.Version)
	}
}

func (serverlessKind) unpinned(p *Plan, targets []Target, report func(field, format string, args ...any)) {
	installs := slices.ContainsFunc(targets, func(t Target) bool { return t.Variant == variantServerless })
	s := p.File.serverless()
	if installs && s.fromArchive() && s.SHA256 == "" && !p.checked(targets, frameworkArchiveURL, s.Version, nil) {
		report("serverless", "Serverless Framework %s is not checked against a known checksum: run samforge lock, or give serverless.sha256", s.Version)
	}
}

func (p *Plan) validateFramework() {
	s, doc := p.File.serverless(), p.doc
	switch {
	case !p.validatePackage(s.npm(), DefaultServerlessVersion):
	case s.fromArchive():
		if _, err := parseSHA256(s.SHA256); s.SHA256 != "" && err != nil {
			doc.Errorf("serverless.sha256", "%v", err)
		}
		if s.Lock != "" {
			doc.Errorf("serverless.lock", "belongs to an npm package; Serverless Framework %s is a release archive, which serverless.sha256 pins", s.Version)
		}
	case s.SHA256 != "":
		doc.Errorf("serverless.sha256", "belongs to version 4, which is a release archive; %s %s is an npm package, which serverless.lock pins", s.Flavor, s.Version)
	}
}

// Serverless is the section of the build file that says which Serverless Framework is installed.
type Serverless struct {
	Version string `yaml:"version"`
	// Flavor is the npm package: serverless (the default), or osls, its maintained fork.
	Flavor string `yaml:"flavor"`
	// Lock is the path of a package-lock.json in the build context. It is used instead of the lock
	// that samforge carries. Without either, npm chooses the dependencies, and samforge warns.
	Lock string `yaml:"lock"`
	// SHA256 is the checksum of the release archive, in hexadecimal; for version 4 only, which is
	// not an npm package.
	SHA256 string `yaml:"sha256"`
}

func (f *File) serverless() *Serverless { return section[Serverless](f, "serverless") }

// Defaults of the Serverless Framework.
const (
	// DefaultServerlessVersion is the vendor's last open-source release.
	DefaultServerlessVersion = "3.40.0"
	// DefaultOSLSVersion is the default for the flavor osls.
	DefaultOSLSVersion = "4.3.1"
	// DefaultFlavor is the vendor's own package.
	DefaultFlavor = "serverless"
)

func (k serverlessKind) fields() []Field {
	return append(k.nodeKind.fields(), []Field{
		{Path: "serverless", Help: "Which framework is installed."},
		{
			Path: "serverless.version", Default: DefaultServerlessVersion, pattern: exactVersion.String(),
			Help: "The exact version of the framework. The default of the flavor osls is " + DefaultOSLSVersion + ".",
		},
		{
			Path: "serverless.flavor", Default: DefaultFlavor, Values: frameworkFlavors(),
			Help: "The npm package: the vendor's own, or osls, its maintained fork.",
		},
		{
			Path: "serverless.lock", Example: "package-lock.json",
			Help: "The path of a package-lock.json in the build context to install the framework from, in place of the lock that samforge has.",
		},
		{
			Path: "serverless.sha256", pattern: sumPattern,
			Help: "The SHA-256 checksum of the release archive. For version 4 only, which is not an npm package.",
		},
	}...)
}

func (k serverlessKind) variables() []Variable {
	return append(k.nodeKind.variables(), []Variable{
		{
			Name: "SERVERLESS_VERSION", Help: "version of the Serverless Framework",
			set: func(f *File, v string) string {
				if f.serverless().Version != v {
					f.serverless().SHA256 = "" // it was for the other version
				}
				f.serverless().Version = v
				return "serverless.version"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "serverless.version", p.File.serverless().Version
			},
		},
		{
			Name: "SAMFORGE_SERVERLESS_LOCK", Help: "npm lock of the framework, a path in the build context",
			set: func(f *File, v string) string {
				f.serverless().Lock = v
				return "serverless.lock"
			},
			get: func(p *Plan, _ Target) (string, string) {
				return "serverless.lock", p.File.serverless().Lock
			},
		},
	}...)
}
