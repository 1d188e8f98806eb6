package llbgen

import (
	"cmp"
	"context"
	"os"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
)

// The places in the image. All lie below real directories of the base images: a layer that is
// merged does not follow symbolic links of the base.
const (
	pluginBinDir     = "/opt/harness/bin"
	pluginScriptsDir = "/opt/harness/scripts"
	clientToolsDir   = "/opt/harness/client-tools"
	goTemplatePath   = clientToolsDir + "/go-template"
	dockerPath       = "/usr/local/bin/docker"
	dockerInArchive  = "docker/docker" // of a static archive
)

// Labels of the layers that every kind has.
const (
	labelPluginImage       = "io.samforge.plugin.image"
	labelPluginVersion     = "io.samforge.plugin.version"
	labelGoTemplateVersion = "io.samforge.go-template.version"
	labelDockerVersion     = "io.samforge.docker.version"
)

// goTemplateURL is where the vendor publishes go-template, without checksums.
const goTemplateURL = "https://app.harness.io/public/shared/tools/go-template/release/{{.Version}}/bin/linux/{{.Arch}}/go-template"

// pluginFiles says where a plugin image has its files.
type pluginFiles struct {
	name   string // of the program
	source string // path of the program in the plugin image; empty if it is the same as in ours
	binary string // its path in our image
	script string // path of the entrypoint, in both
}

// harnessPlugin is a plugin at the usual places.
func harnessPlugin(name, script string) pluginFiles {
	return pluginFiles{name: name, binary: pluginBinDir + "/" + name, script: pluginScriptsDir + "/" + script}
}

// plugin copies the plugin's binary and scripts from the plugin image. It makes the entrypoint
// executable, which it is not in every image. The copy of the scripts leaves the entrypoint out,
// because a copy follows a link that is already at its place.
func (b *build) plugin(plugin pluginFiles) layerFunc {
	return func(ctx context.Context) (*Layer, error) {
		image, err := b.image(ctx, "plugin.image", b.plan.File.Plugin.Image)
		if err != nil {
			return nil, err
		}
		name, version := plugin.name, b.plan.File.Plugin.Version
		others := b.sourceTree()
		others.ExcludePatterns = []string{path.Base(plugin.script)}
		files := llb.Copy(image.State, cmp.Or(plugin.source, plugin.binary), plugin.binary, b.file(0o755)).
			Copy(image.State, pluginScriptsDir+"/", pluginScriptsDir+"/", others).
			Copy(image.State, plugin.script, plugin.script, b.file(0o755)).
			Copy(b.directories(), "/", "/", b.tree())
		return &Layer{
			Name:        "plugin",
			Source:      "plugin image " + image.Name,
			Field:       "plugin.image",
			State:       llb.Scratch().File(files, b.step("plugin.image", "copy the plugin from %s", image.Name)...),
			Executables: []string{plugin.binary},
			Scripts:     []string{plugin.script},
			labels:      map[string]string{labelPluginImage: image.Name, labelPluginVersion: version},
			software:    []software{{name: name, version: version, purl: purl("generic", name, version, nil), image: image}},
		}, nil
	}
}

// goTemplate downloads the go-template binary.
func (b *build) goTemplate(ctx context.Context) (*Layer, error) {
	g := b.plan.File.GoTemplate
	if g.Disabled {
		return nil, nil
	}
	version := "v" + strings.TrimPrefix(g.Version, "v")
	url, err := expandURL(goTemplateURL, urlFields{Version: version, Arch: b.arch()})
	if err != nil {
		return nil, err
	}
	binary, err := b.fetch(ctx, "goTemplate", url, g.SHA256[b.arch()], b.pinByArch(), content{program: true})
	if err != nil {
		return nil, b.plan.At("goTemplate", err)
	}
	files := llb.Copy(binary.state, binary.name, goTemplatePath, b.file(0o755)).
		Copy(b.directories(), "/", "/", b.tree())
	return &Layer{
		Name:        "go-template",
		Source:      "download " + url,
		Field:       "goTemplate",
		State:       llb.Scratch().File(files, b.step("goTemplate", "add go-template %s", version)...),
		Executables: []string{goTemplatePath},
		labels:      map[string]string{labelGoTemplateVersion: version},
		checks:      []check{{name: "go-template", field: "goTemplate", script: renderScript, program: goTemplatePath}},
		software:    []software{binary.software("go-template", version)},
	}, nil
}

// dockerCLI copies the Docker CLI from an image or from a static archive.
func (b *build) dockerCLI(ctx context.Context) (*Layer, error) {
	d := b.plan.File.Docker
	switch {
	case d.Disabled:
		return nil, nil
	case d.Archive != "":
		return b.dockerFromArchive(ctx, d)
	case d.Image != "":
		return b.dockerFromImage(ctx, "docker.image", d.Image)
	default:
		return b.dockerFromImage(ctx, "docker.version", dockerImage(d.Version))
	}
}

// dockerImage is the official image of a version of the Docker CLI.
func dockerImage(version string) string { return "docker.io/library/docker:" + version + "-cli" }

func (b *build) dockerFromImage(ctx context.Context, field, ref string) (*Layer, error) {
	image, err := b.image(ctx, field, ref)
	if err != nil {
		return nil, err
	}
	version := b.plan.File.Docker.Version
	if version == "" {
		version = tagOf(ref)
	}
	layer := b.dockerLayer(field, "image "+image.Name, version,
		llb.Copy(image.State, dockerPath, dockerPath, b.file(0o755)))
	layer.software[0].image = image
	return layer, nil
}

func (b *build) dockerFromArchive(ctx context.Context, d Docker) (*Layer, error) {
	url, err := expandURL(d.Archive, urlFields{Version: d.Version, Arch: b.arch()})
	if err != nil {
		return nil, b.plan.At("docker.archive", err)
	}
	archive, err := b.fetch(ctx, "docker.archive", url, d.SHA256[b.arch()], b.pinByArch(), content{path: dockerInArchive, program: true})
	if err != nil {
		return nil, b.plan.At("docker.archive", err)
	}
	unpacked := llb.Scratch().File(
		llb.Copy(archive.state, archive.name, "/", &llb.CopyInfo{AttemptUnpack: true, ChownOpt: rootOwner(), CreatedTime: &b.opt.Epoch}),
		b.step("docker.archive", "unpack %s", url)...)
	layer := b.dockerLayer("docker.archive", "archive "+url, d.Version,
		llb.Copy(unpacked, "/"+dockerInArchive, dockerPath, b.file(0o755)))
	layer.software[0].url, layer.software[0].sums = url, checksums(archive.sum)
	return layer, nil
}

func (b *build) dockerLayer(field, source, version string, files *llb.FileAction) *Layer {
	labels := map[string]string{}
	if version != "" {
		labels[labelDockerVersion] = version
	}
	return &Layer{
		Name:        "docker",
		Source:      source,
		Field:       field,
		State:       llb.Scratch().File(files, b.step(field, "copy the Docker CLI from %s", source)...),
		Executables: []string{dockerPath},
		labels:      labels,
		checks:      []check{{name: "docker", field: field, script: "docker --version", program: dockerPath}},
		software:    []software{dockerSoftware(version)},
	}
}

// directories makes the plugin's directories with their published modes, and those in more. A step
// may run as any user and writes into them. A layer with files in one of them ends by copying these
// directories over it, which also resets their modification times.
//
// They are copies of one directory because only a copy sets a mode regardless of the builder's
// umask, which Docker Engine 20.10 applies when it makes directories.
func (b *build) directories(more ...string) llb.State {
	owner, made := llb.WithUIDGID(0, 0), llb.WithCreatedTime(b.opt.Epoch)
	one := llb.Scratch().File(llb.Mkdir("/directory", 0o755, owner, made), b.step("plugin", "make a directory")...)
	dirs := llb.Copy(one, "/directory", "/opt", b.file(0o755)).
		Copy(one, "/directory", "/opt/harness", b.file(0o755)).
		Copy(one, "/directory", pluginBinDir, b.file(0o777)).
		Copy(one, "/directory", pluginScriptsDir, b.file(0o777)).
		Copy(one, "/directory", clientToolsDir, b.file(0o777))
	for _, dir := range more {
		dirs = dirs.Copy(one, "/directory", dir, b.file(0o755))
	}
	return llb.Scratch().File(dirs, b.step("plugin", "make the plugin's directories")...)
}

// file copies one file, owned by root. It follows a link in the source.
func (b *build) file(mode os.FileMode) *llb.CopyInfo {
	return &llb.CopyInfo{
		Mode:           &llb.ChmodOpt{Mode: mode},
		FollowSymlinks: true,
		CreateDestPath: true,
		ChownOpt:       rootOwner(),
		CreatedTime:    &b.opt.Epoch,
	}
}

// tree copies the content of a directory with its modes, owned by root.
func (b *build) tree() *llb.CopyInfo {
	return &llb.CopyInfo{
		CopyDirContentsOnly: true,
		CreateDestPath:      true,
		ChownOpt:            rootOwner(),
		CreatedTime:         &b.opt.Epoch,
	}
}

// sourceTree is tree for a directory of an image or an archive that we did not make: the directory
// may be a link there, which is followed as by COPY.
func (b *build) sourceTree() *llb.CopyInfo {
	info := b.tree()
	info.FollowSymlinks = true
	return info
}

func rootOwner() *llb.ChownOpt {
	return &llb.ChownOpt{User: &llb.UserOpt{UID: 0}, Group: &llb.UserOpt{UID: 0}}
}

// tagOf returns the tag of an image reference, or "".
func tagOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if tagged, ok := named.(reference.Tagged); ok {
		return tagged.Tag()
	}
	return ""
}
