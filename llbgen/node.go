package llbgen

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// The layouts of Node.js in an image.
const (
	layoutMerged   = "merged"
	layoutIsolated = "isolated"
)

func nodeLayouts() []string { return []string{layoutMerged, layoutIsolated} }

// Folders of Lambda images: the language runtime, and what comes with it.
const (
	languageDir = "/var/lang"
	optDir      = "/opt"
)

// nodeLayerName is the name of the layer with Node.js.
const nodeLayerName = "node"

// labelNodeImage names the image that Node.js was copied from.
const labelNodeImage = "io.samforge.node.image"

// mergedNode is Node.js in the merged layout.
const mergedNode = languageDir + "/bin/node"

// Where Node.js is in the isolated layout.
const (
	isolatedNodeDir = "/opt/harness/node"
	isolatedNodeBin = isolatedNodeDir + "/bin"
	isolatedNode    = isolatedNodeBin + "/node"
)

// rpathScript writes a copy of a program that finds its libraries beside itself.
//
//go:embed rpath.cjs
var rpathScript []byte

// stage is a part of the recipe: a layer, its folders on PATH, and the checks to run if there is no
// layer.
type stage struct {
	layer  layerFunc
	path   []string
	checks []check
}

// nodeStage copies Node.js from the node image. If that is the runtime image itself, there is
// nothing to copy.
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

// nodeMerged copies the node image's language runtime and /opt to the same places. There, every
// program finds their libraries before the system's: the base images search /var/lang/lib first.
func (b *build) nodeMerged(ctx context.Context) (*Layer, error) {
	image, err := b.nodeImage(ctx)
	if err != nil {
		return nil, err
	}
	files := llb.Copy(image.State, languageDir+"/", languageDir+"/", b.sourceTree()).
		Copy(image.State, optDir+"/", optDir+"/", b.sourceTree()).
		Copy(b.directories(), "/", "/", b.tree())
	layer := b.nodeLayer(image, mergedNode, files)
	layer.Overlays = true
	layer.checks = []check{b.nodeCheck(mergedNode)}
	return layer, nil
}

// nodeCheck checks that the node at path runs.
func (b *build) nodeCheck(path string, libraries ...string) check {
	return check{
		name: "node", field: b.target.path + ".node", script: "node --version",
		program: path, libraries: libraries,
		remedy: "use a node image that is made for a C library as old as the runtime image's",
	}
}

// nodeIsolated copies Node.js to a prefix of its own. The image's library path names folders of
// other languages, so the copied node looks for libraries in its own prefix first, however it is
// started. Programs that it starts find the libraries of the runtime image.
func (b *build) nodeIsolated(ctx context.Context) (*Layer, error) {
	image, err := b.nodeImage(ctx)
	if err != nil {
		return nil, err
	}
	program, err := b.nodeWithLibraries(ctx, image)
	if err != nil {
		return nil, err
	}
	withoutPrograms, programs := b.sourceTree(), b.sourceTree()
	withoutPrograms.ExcludePatterns, programs.ExcludePatterns = []string{"bin"}, []string{"node"}
	files := llb.Copy(image.State, languageDir+"/", isolatedNodeDir+"/", withoutPrograms).
		Copy(image.State, languageDir+"/bin/", isolatedNodeBin+"/", programs).
		Copy(program, "/node", isolatedNode, b.file(0o755)).
		Copy(b.directories(isolatedNodeDir, isolatedNodeBin), "/", "/", b.tree())
	layer := b.nodeLayer(image, isolatedNode, files)
	layer.checks = []check{b.nodeCheck(isolatedNode, isolatedNodeDir+"/lib")}
	return layer, nil
}

// nodeWithLibraries returns an image's node with an rpath. BuildKit cannot edit a file, so this is
// a step that runs a program, the only one beside npm. It runs in the node image for the builder's
// own platform and edits bytes, so it serves any architecture without emulation.
func (b *build) nodeWithLibraries(ctx context.Context, image *SourceImage) (llb.State, error) {
	field := b.target.path + ".node"
	runner, err := b.imageOn(ctx, b.opt.BuildPlatform, field, nodeOn(b.opt.BuildPlatform, b.target.Node))
	if err != nil {
		return llb.State{}, err
	}
	if runner.Config == nil {
		return llb.State{}, b.plan.At(field, fmt.Errorf("%s is replaced by plain files, and node.layout: isolated has to run it: use docker-image:// or oci-layout://", b.target.Node))
	}
	const dir = "/samforge/rpath"
	given := llb.Scratch().File(
		llb.Copy(image.State, mergedNode, "/node", b.file(0o755)).Mkfile("/rpath.cjs", 0o644, rpathScript),
		b.step(field, "copy node from %s", image.Name)...)
	opts := append(slices.Clone(b.opt.Run),
		llb.Args([]string{mergedNode, dir + "/given/rpath.cjs", dir + "/given/node", dir + "/made/node", "$ORIGIN/../lib"}),
		llb.Network(pb.NetMode_NONE),
		llb.AddMount(dir+"/given", given, llb.Readonly),
	)
	for _, variable := range runner.Config.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	for _, o := range b.step(field, "have node find its own libraries") {
		opts = append(opts, o)
	}
	return runner.State.Run(opts...).AddMount(dir+"/made", llb.Scratch()), nil
}

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
