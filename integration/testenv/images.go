// Stand-in images, with the parts of the real base images that matter to a build.

package testenv

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ImageOptions describes a whole image.
type ImageOptions struct {
	Arch    string // amd64 or arm64
	Variant string // of the architecture; v8 if it is arm64
	Config  v1.Config
	Layers  []Layer
	// History has one line per layer. Lines that begin with "#" are steps without a layer, and are
	// written without that sign.
	History []string
	Docker  bool // Docker media types instead of the OCI ones
}

// Image makes an image.
func Image(options ImageOptions) (v1.Image, error) {
	manifestType, configType, layerType := types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer
	if options.Docker {
		manifestType, configType, layerType = types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer
	}
	var layers []mutate.Addendum
	for _, spec := range options.Layers {
		built, err := spec.build(layerType)
		if err != nil {
			return nil, err
		}
		layers = append(layers, mutate.Addendum{Layer: built, MediaType: layerType})
	}
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, manifestType), configType), layers...)
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("making an image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = "linux", options.Arch, options.Variant
	config.Created = v1.Time{Time: epoch}
	config.Config = options.Config
	if options.Arch == "arm64" {
		config.Variant = "v8"
	}
	if options.History != nil {
		config.History = nil
	}
	for _, line := range options.History {
		step, none := strings.CutPrefix(line, "#")
		config.History = append(config.History, v1.History{
			Created: v1.Time{Time: epoch}, CreatedBy: step, Comment: "buildkit.dockerfile.v0", EmptyLayer: none,
		})
	}
	return mutate.ConfigFile(image, config)
}

// PluginOptions describes a plugin image. The zero value of the other fields is a good one.
type PluginOptions struct {
	Kind       string // sam or serverless
	Version    string
	Arch       string
	BinarySize int    // the binary is padded to this many bytes
	NoBinary   bool   // leaves the binary out
	NoScripts  bool   // leaves the scripts out
	Binary     []byte // replaces the binary: another machine's ELF, a text
	Docker     bool
}

// PluginImage stands in for harness/aws-sam-plugin, harness/serverless-plugin and
// harness/aws-cdk-plugin: only /opt/harness, with scripts that are not executable, as published.
func PluginImage(ctx context.Context, options PluginOptions) (v1.Image, error) {
	var program, path, entrypoint string
	started := "" // by the entrypoint, in the image that the plugin is copied into
	switch options.Kind {
	case "sam", "serverless":
		program, entrypoint = "harness-"+options.Kind+"-plugin", options.Kind+"-plugin.sh"
		path = "/opt/harness/bin/" + program
		started = path
	case "cdk":
		program, path, entrypoint = "aws-cdk-plugin", "/opt/harness/plugin", "run.sh"
		started = "/opt/harness/aws-cdk-plugin"
	default:
		return nil, fmt.Errorf("no plugin image of the kind %q: use sam, serverless or cdk", options.Kind)
	}
	image := ImageOptions{Arch: options.Arch, Docker: options.Docker, Config: v1.Config{Env: []string{"PATH=" + defaultPath}}}
	if !options.NoBinary {
		binary := options.Binary
		if binary == nil {
			var err error
			if binary, err = Executable(ctx, program, options.Arch, options.Version); err != nil {
				return nil, err
			}
			binary = Pad(binary, options.BinarySize)
		}
		image.Layers = append(image.Layers, Layer{Files: []File{{Path: path, Mode: 0o755, Data: binary}}})
		image.History = append(image.History, "COPY "+program+" "+path+" # buildkit")
	}
	if !options.NoScripts {
		script := fmt.Sprintf("#!/bin/bash\nset -e\n. \"$(dirname \"$0\")/lib/common.sh\"\nwait_for_docker\nexec %s \"$@\"\n", started)
		common := "# Functions that the plugin scripts share.\nwait_for_docker() {\n  [ \"$PLUGIN_WAIT_FOR_DOCKER_RUN\" = false ] || docker ps >/dev/null\n}\n"
		image.Layers = append(image.Layers, Layer{Files: []File{
			{Path: "/opt/harness/scripts/" + entrypoint, Mode: 0o644, Data: []byte(script)},
			{Path: "/opt/harness/scripts/lib/common.sh", Mode: 0o644, Data: []byte(common)},
			{Path: "/opt/harness/scripts/VERSION", Mode: 0o644, Data: []byte(options.Version + "\n")},
		}})
		image.History = append(image.History, "COPY scripts /opt/harness/scripts # buildkit")
	}
	return Image(image)
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// DockerCLIOptions describes a docker:<version>-cli image.
type DockerCLIOptions struct {
	Version string
	Arch    string
	Size    int // of /usr/local/bin/docker, uncompressed
	Docker  bool
}

// DockerCLI stands in for docker.io/library/docker:<version>-cli: an Alpine-like system with the
// client and its plug-ins in their own layers.
func DockerCLI(ctx context.Context, options DockerCLIOptions) (v1.Image, error) {
	docker, err := Executable(ctx, "docker", options.Arch, options.Version)
	if err != nil {
		return nil, err
	}
	buildx, err := Executable(ctx, "docker-buildx", options.Arch, "0.29.1")
	if err != nil {
		return nil, err
	}
	return Image(ImageOptions{
		Arch:   options.Arch,
		Docker: options.Docker,
		Config: v1.Config{
			Env: []string{"PATH=" + defaultPath, "DOCKER_VERSION=" + options.Version, "DOCKER_TLS_CERTDIR=/certs"},
			Cmd: []string{"sh"}, Entrypoint: []string{"docker-entrypoint.sh"},
		},
		Layers: []Layer{
			{Files: []File{
				{Path: "/etc/os-release", Data: []byte("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.22.2\n")},
				{Path: "/bin", Dir: true}, {Path: "/lib", Dir: true}, {Path: "/tmp", Dir: true, Mode: 0o1777},
			}, Incompressible: 256 << 10, Blob: "alpine-" + options.Arch},
			{Files: []File{{Path: "/etc/ssl/certs/ca-certificates.crt", Data: []byte("# none in a stand-in\n")}}},
			{Files: []File{{Path: "/usr/local/bin/docker", Mode: 0o755, Data: Pad(docker, options.Size)}}},
			{Files: []File{{Path: "/usr/local/libexec/docker/cli-plugins/docker-buildx", Mode: 0o755, Data: buildx}}},
			{Files: []File{{Path: "/usr/local/bin/docker-entrypoint.sh", Mode: 0o755, Data: []byte("#!/bin/sh\nexec docker \"$@\"\n")}}},
		},
		History: []string{
			"ADD alpine-minirootfs-3.22.2.tar.gz / # buildkit", "#CMD [\"/bin/sh\"]",
			"RUN apk add --no-cache ca-certificates openssh-client git # buildkit",
			"#ENV DOCKER_VERSION=" + options.Version,
			"RUN wget docker.tgz; tar --extract --file docker.tgz # buildkit",
			"RUN wget docker-buildx # buildkit",
			"COPY docker-entrypoint.sh /usr/local/bin/ # buildkit",
			"#ENV DOCKER_TLS_CERTDIR=/certs", "#ENTRYPOINT [\"docker-entrypoint.sh\"]", "#CMD [\"sh\"]",
		},
	})
}

// DockerArchive stands in for docker-<version>.tgz of download.docker.com: the client and a few
// daemons below docker/.
func DockerArchive(ctx context.Context, version, arch string) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	archive := &tarWriter{Writer: tar.NewWriter(zip), dirs: map[string]bool{}}
	for _, program := range []string{"docker", "dockerd", "docker-proxy", "runc"} {
		data := []byte("not needed by the client\n")
		if program == "docker" {
			if data, err = Executable(ctx, program, arch, version); err != nil {
				return nil, err
			}
		}
		if err := archive.add(File{Path: "docker/" + program, Mode: 0o755, Data: data}); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
