package llbgen

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// serverlessKind are the images that CI steps run the Serverless Framework in:
// for each runtime one with Node.js and the plugin ("base"), and one with the
// framework too ("serverless").
type serverlessKind struct{}

// The variants of a Serverless image.
const (
	variantBase       = "base"
	variantServerless = "serverless"
)

func (serverlessKind) variants() []string { return []string{variantBase, variantServerless} }

func (serverlessKind) build(ctx context.Context, b *build) (*Image, error) {
	node := b.nodeStage()
	r := recipe{
		entrypoint: pluginScriptsDir + "/serverless-plugin.sh",
		user:       "root",
		path:       node.path,
		layers: []layerFunc{
			node.layer,
			b.plugin("harness-serverless-plugin", "serverless-plugin.sh"),
			b.goTemplate,
			b.dockerCLI,
		},
		checks: append(b.languageChecks(), node.checks...),
	}
	if b.target.Variant == variantServerless {
		r.layers = append(r.layers, b.framework)
		r.path = append([]string{frameworkBinDir}, r.path...)
	}
	return b.assemble(ctx, r)
}

// ServerlessBaseTag and ServerlessTag are the templates of the tags of the two
// variants. An index that holds several platforms has no Arch.
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

func (serverlessKind) validate(p *Plan) {
	f, doc := &p.File, p.doc
	if !slices.Contains(nodeLayouts(), f.Node.Layout) {
		doc.errorf("node.layout", "unknown layout %q: use %s", f.Node.Layout, strings.Join(nodeLayouts(), " or "))
	}
	if !slices.Contains(frameworkFlavors(), f.Serverless.Flavor) {
		doc.errorf("serverless.flavor", "unknown flavor %q: use %s", f.Serverless.Flavor, strings.Join(frameworkFlavors(), " or "))
		return
	}
	p.validateFramework()
	for i, entry := range f.Runtimes {
		if entry.Node == "" && entry.Image != "" {
			doc.errorf(fmt.Sprintf("runtimes[%d].node", i), "missing: name the image that Node.js is taken from, here or with --build-arg NODEJS_BASE_IMAGE_VERSION=…")
		}
	}
}

func (p *Plan) validateFramework() {
	s, doc := p.File.Serverless, p.doc
	switch {
	case !exactVersion.MatchString(s.Version):
		doc.errorf("serverless.version", "%q is not a version such as %s", s.Version, DefaultServerlessVersion)
	case s.fromArchive():
		if _, err := parseSHA256(s.SHA256); s.SHA256 != "" && err != nil {
			doc.errorf("serverless.sha256", "%v", err)
		}
		if s.Lock != "" {
			doc.errorf("serverless.lock", "belongs to an npm package; Serverless Framework %s is a release archive, which serverless.sha256 pins", s.Version)
		}
	case s.SHA256 != "":
		doc.errorf("serverless.sha256", "belongs to version 4, which is a release archive; %s %s is an npm package, which serverless.lock pins", s.Flavor, s.Version)
	case s.Lock != "":
		p.validateLockPath(s.Lock)
	}
}

// exactVersion is one version and no range or tag of npm's, which would make
// the image's own tag untrue: https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions
var exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (p *Plan) validateLockPath(name string) {
	clean := path.Clean(name)
	switch {
	case clean == "." || !fs.ValidPath(clean):
		p.doc.errorf("serverless.lock", "%q is no file within the build context: give a path such as package-lock.json, from the context on", name)
	case clean != name:
		p.doc.errorf("serverless.lock", "%q has more in it than a path needs: write %s", name, clean)
	}
}

// refuseServerlessFields refuses what only a Serverless image has.
func (p *Plan) refuseServerlessFields() {
	fields := []string{"serverless", "node"}
	if _, given := p.doc.places["serverless"]; !given {
		fields = append(fields, "serverless.lock") // by a build argument
	}
	for i := range p.File.Runtimes {
		fields = append(fields, fmt.Sprintf("runtimes[%d].node", i))
	}
	for _, field := range fields {
		if _, given := p.doc.places[field]; given {
			p.doc.errorf(field, "belongs to kind: serverless, and this is kind: %s", p.File.Kind)
		}
	}
}
