package llbgen

import (
	"cmp"
	"context"
)

// cdkKind makes the images in which CI steps run the AWS CDK: one for each runtime, with Node.js,
// the plugin and the CDK's command line, the npm package aws-cdk.
type cdkKind struct{ nodeKind }

func (cdkKind) build(ctx context.Context, b *build) (*Image, error) {
	node := b.nodeStage()
	return b.assemble(ctx, recipe{
		entrypoint: pluginScriptsDir + "/run.sh",
		user:       "root",
		path:       append([]string{cdkDir + "/bin"}, node.path...),
		layers: []layerFunc{
			node.layer,
			b.plugin(pluginFiles{
				name: "aws-cdk-plugin", source: "/opt/harness/plugin", binary: "/opt/harness/aws-cdk-plugin", script: pluginScriptsDir + "/run.sh",
			}),
			b.goTemplate,
			b.dockerCLI,
			b.cdk,
		},
		checks: append(b.baseChecks(), node.checks...),
	})
}

// cdkDir is the folder of the CDK in the image.
const cdkDir = "/opt/harness/cdk"

// cdk adds the CDK's command line, installed by npm.
func (b *build) cdk(ctx context.Context) (*Layer, error) {
	pkg := b.plan.File.cdk().npm()
	installed, lock, err := b.npmLayer(ctx, pkg)
	if err != nil {
		return nil, err
	}
	return &Layer{
		Name:     "cdk",
		Source:   "npm package " + lock.String(),
		Field:    "cdk",
		State:    installed,
		labels:   frameworkLabels(pkg.name, pkg.version),
		checks:   []check{{name: "cdk", field: "cdk", script: "cdk --version"}},
		software: npmSoftware(lock, b.arch()),
	}, nil
}

func (cdkKind) name() string { return "cdk" }
func (cdkKind) help() string { return "the AWS CDK" }

// CDKTag is the template of a CDK image's tag. Arch is empty for an index of several platforms.
const CDKTag = "{{.Runtime}}-{{.Version}}-{{.CDKVersion}}{{with .Arch}}-linux-{{.}}{{end}}"

func (cdkKind) tag(string) string { return CDKTag }

func (cdkKind) tagFields(f *File) map[string]string {
	return map[string]string{"CDKVersion": f.cdk().Version}
}

func (cdkKind) describe(p *Plan, t Target) string {
	return t.Runtime + " with Node.js, the plugin and the AWS CDK " + p.File.cdk().Version
}

// CDK is the section of the build file that says which version of the AWS CDK is installed.
type CDK struct {
	Version string `yaml:"version"`
	// Lock is the path of a package-lock.json in the build context. It is used instead of the lock
	// that samforge carries. Without either, npm chooses the dependencies, and samforge warns.
	Lock string `yaml:"lock"`
}

// DefaultCDKVersion is the newest version that samforge carries a lock for.
const DefaultCDKVersion = "2.1148.1"

func (f *File) cdk() *CDK { return section[CDK](f, "cdk") }

func (c CDK) npm() npmPackage {
	return npmPackage{
		field: "cdk", name: "aws-cdk", version: c.Version, lock: c.Lock,
		prefix: cdkDir, program: "bin/cdk", commands: []string{"cdk"},
	}
}

func (cdkKind) section() any { return &CDK{} }

func (cdkKind) packageOf(f *File, _ string) (npmPackage, bool) { return f.cdk().npm(), true }

func (k cdkKind) setDefaults(f *File) {
	k.nodeKind.setDefaults(f)
	f.cdk().Version = cmp.Or(f.cdk().Version, DefaultCDKVersion)
}

func (k cdkKind) validate(p *Plan) {
	k.nodeKind.validate(p)
	p.validatePackage(p.File.cdk().npm(), DefaultCDKVersion)
}

func (k cdkKind) fields() []Field {
	return append(k.nodeKind.fields(), []Field{
		{Path: "cdk", Help: "Which version of the AWS CDK is installed."},
		{
			Path: "cdk.version", Default: DefaultCDKVersion, pattern: exactVersion.String(),
			Help: "The exact version of the npm package aws-cdk.",
		},
		{
			Path: "cdk.lock", Example: "package-lock.json",
			Help: "The path of a package-lock.json in the build context to install the AWS CDK from, in place of the lock that samforge has.",
		},
	}...)
}

func (k cdkKind) variables() []Variable {
	return append(k.nodeKind.variables(), []Variable{
		{
			Name: "AWS_CDK_VERSION", Help: "version of the AWS CDK",
			set: func(f *File, v string) string {
				f.cdk().Version = v
				return "cdk.version"
			},
			get: func(p *Plan, _ Target) (string, string) { return "cdk.version", p.File.cdk().Version },
		},
		{
			Name: "SAMFORGE_CDK_LOCK", Help: "npm lock of the AWS CDK, a path in the build context",
			set: func(f *File, v string) string {
				f.cdk().Lock = v
				return "cdk.lock"
			},
			get: func(p *Plan, _ Target) (string, string) { return "cdk.lock", p.File.cdk().Lock },
		},
	}...)
}
