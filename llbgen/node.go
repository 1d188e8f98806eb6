package llbgen

import (
	"context"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
)

// The layouts of Node.js in an image.
const (
	layoutMerged   = "merged"
	layoutIsolated = "isolated"
)

func nodeLayouts() []string { return []string{layoutMerged, layoutIsolated} }

// Where Lambda images have their language runtime, and what comes with it.
const (
	languageDir = "/var/lang"
	optDir      = "/opt"
)

// nodeLayerName is the layer that has Node.js.
const nodeLayerName = "node"

// mergedNode is Node.js in the merged layout.
const mergedNode = languageDir + "/bin/node"

// Where Node.js is in the isolated layout.
const (
	isolatedNodeDir = "/opt/harness/node"
	isolatedNodeBin = isolatedNodeDir + "/bin"
	isolatedNode    = isolatedNodeDir + "/libexec/node"
	isolatedPreload = isolatedNodeDir + "/libexec/preload.cjs"
)

// stage is a part of the recipe: a layer, what it puts on PATH, and what checks
// it where there is no layer to do so.
type stage struct {
	layer  layerFunc
	path   []string
	checks []check
}

// nodeStage brings Node.js out of the node image. Where that is the runtime
// image itself there is nothing to bring.
func (b *build) nodeStage() stage {
	merged := []string{languageDir + "/bin", optDir + "/bin"}
	switch {
	case sameImage(b.target.Base, b.target.Node):
		none := func(context.Context) (*Layer, error) { return nil, nil }
		return stage{path: merged, layer: none, checks: []check{b.nodeCheck(mergedNode)}}
	case b.plan.File.Node.Layout == layoutIsolated:
		return stage{path: []string{isolatedNodeBin}, layer: b.nodeIsolated}
	default:
		return stage{path: merged, layer: b.nodeMerged}
	}
}

// nodeMerged has the node image's language runtime and /opt at the same places.
// Its libraries come before the system's there, for every program: the base
// images search /var/lang/lib first.
func (b *build) nodeMerged(ctx context.Context) (*Layer, error) {
	image, err := b.nodeImage(ctx)
	if err != nil {
		return nil, err
	}
	files := llb.Copy(image.State, languageDir+"/", languageDir+"/", b.tree()).
		Copy(image.State, optDir+"/", optDir+"/", b.tree()).
		Copy(b.directories(), "/", "/", b.tree())
	layer := b.nodeLayer(image, mergedNode, files)
	layer.Overlays = true
	layer.checks = []check{b.nodeCheck(mergedNode)}
	return layer, nil
}

// nodeCheck checks that node, which is the program at path, runs.
func (b *build) nodeCheck(path string, libraries ...string) check {
	return check{
		name: "node", field: b.target.path + ".node", script: "node --version",
		program: path, libraries: libraries,
		remedy: "use a node image that is made for a C library as old as the runtime image's",
	}
}

// nodeIsolated has Node.js below a prefix of its own. The image's library path
// names the node image's libraries for node alone: a wrapper sets it, and a
// script that node loads first takes it back, so that what node starts finds
// the libraries of the runtime image.
func (b *build) nodeIsolated(ctx context.Context) (*Layer, error) {
	image, err := b.nodeImage(ctx)
	if err != nil {
		return nil, err
	}
	withoutNode := b.tree()
	withoutNode.ExcludePatterns = []string{"bin/node"}
	wrapper := llb.Scratch().File(
		llb.Mkdir("/bin", 0o755).
			Mkfile("/bin/node", 0o755, []byte(nodeWrapper)).
			Mkdir("/libexec", 0o755).
			Mkfile("/libexec/preload.cjs", 0o644, []byte(nodePreload)),
		b.step("node", "write node's wrapper")...)
	files := llb.Copy(image.State, languageDir+"/", isolatedNodeDir+"/", withoutNode).
		Copy(image.State, languageDir+"/bin/node", isolatedNode, b.file(0o755)).
		Copy(wrapper, "/", isolatedNodeDir+"/", b.tree()).
		Copy(b.directories(isolatedNodeDir), "/", "/", b.tree())
	layer := b.nodeLayer(image, isolatedNode, files)
	layer.checks = []check{b.nodeCheck(isolatedNode, isolatedNodeDir+"/lib")}
	return layer, nil
}

const nodeWrapper = `#!/bin/sh
# Runs Node.js with its own libraries, for itself alone: see preload.cjs.
SAMFORGE_LD_LIBRARY_PATH="${LD_LIBRARY_PATH-}"
LD_LIBRARY_PATH="` + isolatedNodeDir + `/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH SAMFORGE_LD_LIBRARY_PATH
exec ` + isolatedNode + ` --require ` + isolatedPreload + ` "$@"
`

const nodePreload = `// Gives the programs that Node.js starts the library path that it was started
// with, and has it start itself through the wrapper.
'use strict';
if ('SAMFORGE_LD_LIBRARY_PATH' in process.env) {
  const before = process.env.SAMFORGE_LD_LIBRARY_PATH;
  delete process.env.SAMFORGE_LD_LIBRARY_PATH;
  if (before) process.env.LD_LIBRARY_PATH = before;
  else delete process.env.LD_LIBRARY_PATH;
}
process.execPath = '` + isolatedNodeBin + `/node';
`

func (b *build) nodeLayer(image *SourceImage, node string, files *llb.FileAction) *Layer {
	return &Layer{
		Name:        nodeLayerName,
		Source:      "node image " + image.Name,
		Field:       b.target.path + ".node",
		State:       llb.Scratch().File(files, b.step(b.target.path+".node", "copy Node.js from %s", image.Name)...),
		Executables: []string{node},
		labels:      map[string]string{labelNodeImage: image.Name},
		software:    []software{b.node(image)},
	}
}

func (b *build) nodeImage(ctx context.Context) (*SourceImage, error) {
	return b.image(ctx, b.target.path+".node", b.target.Node)
}

// sameImage reports whether two references name the same image.
func sameImage(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := reference.ParseNormalizedNamed(a)
	y, errY := reference.ParseNormalizedNamed(b)
	return errX == nil && errY == nil && reference.TagNameOnly(x).String() == reference.TagNameOnly(y).String()
}
