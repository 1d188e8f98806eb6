package llbgen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// nodeKind is the common part of the kinds whose images take Node.js from another image.
type nodeKind struct{ plainKind }

func (nodeKind) fields() []Field {
	return []Field{
		{
			Path: "runtimes[].node", Example: "public.ecr.aws/lambda/nodejs:22.2025.08.04.11", pattern: imagePattern(),
			Help: "The image that Node.js is copied from: a Lambda base image or a SAM image. A runtime image that has Node.js itself names itself here.",
		},
		{Path: "node", Help: "How Node.js gets into the images."},
		{
			Path: "node.layout", Default: DefaultNodeLayout, Values: nodeLayouts(),
			Help: "merged puts the node image's files at the same places, where their libraries come before the system's. isolated puts them under /opt/harness/node.",
		},
	}
}

func (nodeKind) variables() []Variable {
	return []Variable{
		{
			Name: "RUNTIME_BASE_IMAGE_VERSION", Help: "the one runtime image to build on",
			set: func(f *File, v string) string {
				f.Runtimes = []RuntimeImage{{Image: v, Node: firstNode(f)}}
				return "runtimes[0].image"
			},
			get: func(_ *Plan, t Target) (string, string) {
				return t.path + ".image", t.Base
			},
		},
		{
			Name: "NODEJS_BASE_IMAGE_VERSION", Help: "image that Node.js is taken from",
			set: func(f *File, v string) string {
				for i := range f.Runtimes {
					f.Runtimes[i].Node = v
				}
				return "runtimes[0].node"
			},
			get: func(_ *Plan, t Target) (string, string) {
				return t.path + ".node", t.Node
			},
		},
	}
}

// frameworkLabels say which framework an image has.
func frameworkLabels(name, version string) map[string]string {
	return map[string]string{"io.samforge.framework.name": name, "io.samforge.framework.version": version}
}

// firstNode returns the node image of the first runtime. It stays if a build argument replaces only
// the runtime image.
func firstNode(f *File) string {
	if len(f.Runtimes) == 0 {
		return ""
	}
	return f.Runtimes[0].Node
}

func (nodeKind) setDefaults(f *File) { f.Node.Layout = cmp.Or(f.Node.Layout, DefaultNodeLayout) }

func (nodeKind) validate(p *Plan) {
	f, doc := &p.File, p.doc
	if !slices.Contains(nodeLayouts(), f.Node.Layout) {
		doc.Errorf("node.layout", "unknown layout %q: use %s", f.Node.Layout, strings.Join(nodeLayouts(), " or "))
	}
	for i, entry := range f.Runtimes {
		if entry.Node == "" && entry.Image != "" {
			doc.Errorf(fmt.Sprintf("runtimes[%d].node", i), "missing: name the image that Node.js is taken from, here or with --build-arg NODEJS_BASE_IMAGE_VERSION=…")
		}
	}
}
