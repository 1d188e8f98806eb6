// Stand-ins for SAM build images that run: for images with the Serverless Framework, which are made
// from two of them.

package testenv

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The public names of the images that [ServerlessBases] makes, beside [Node20Base], [Node22Base],
// [Python311Base], [Python312Base] and [Java21Base].
const (
	Node18Base   = "public.ecr.aws/sam/build-nodejs18.x:1.143.0-20250502200316"
	Java17Base   = "public.ecr.aws/sam/build-java17:1.143.0-20250822194410"
	Java8AL2Base = "public.ecr.aws/sam/build-java8.al2:1.143.0-20250822194411"
	Ruby32Base   = "public.ecr.aws/sam/build-ruby3.2:1.143.0-20250822194413"
	// Node24Base is a name for an image of [NodeBase].
	Node24Base = "public.ecr.aws/sam/build-nodejs24.x:1.150.0-20251211000000"
	// TooNewNodeBase is the name of [TooNewNode]'s image.
	TooNewNodeBase = "public.ecr.aws/sam/build-nodejs18.x:1.150.0-20251211000000"
)

// ServerlessOptions describes the images of [ServerlessBases].
type ServerlessOptions struct {
	// Size is added to each image's compressed size of about 40 MB, or 85 MB with
	// Node; an arm64 image has 35 MB less.
	Size int64
	// NodeOpenSSL is the Debian release whose OpenSSL is in /var/lang/lib of the node
	// images; see [OpenSSL]. The default, bookworm, does no harm.
	NodeOpenSSL string
}

// serverlessBases are the runtimes of the recommended pairs in the published
// documentation of the Serverless images.
var serverlessBases = []struct{ ref, runtime, program, version string }{
	{Node18Base, "nodejs18.x", "node", "18.20.8"},
	{Node20Base, "nodejs20.x", "node", "20.20.2"},
	{Node22Base, "nodejs22.x", "node", "22.23.3"},
	{Java8AL2Base, "java8.al2", "java", "1.8.0_462"},
	{Java17Base, "java17", "java", "17.0.16"},
	{Java21Base, "java21", "java", "21.0.8"},
	{Python311Base, "python3.11", "python3", ""},
	{Python312Base, "python3.12", "python3", ""},
	{Ruby32Base, "ruby3.2", "ruby", "3.2.9"},
}

// ServerlessRuntimes returns the SAM images that [ServerlessBases] makes.
func ServerlessRuntimes() (refs []string) {
	for _, base := range serverlessBases {
		refs = append(refs, base.ref)
	}
	return refs
}

// ServerlessBases makes the runtimes of the recommended pairs, and their nodes, under the names
// that [StandIns] also gives: as an index and once per architecture. The nodes exist as SAM images
// and as Lambda base images.
//
// On amd64 they run. Images on Amazon Linux 2 have the libraries of Debian bullseye (glibc 2.31,
// OpenSSL 1.1), the others have those of bookworm (2.36, 3.0), including python3, which is also the
// /var/lang/bin/python3 of the Python runtimes. Java and Ruby are stand-ins. On arm64 everything
// except Node is.
func ServerlessBases(ctx context.Context, options ServerlessOptions) (Set, error) {
	set := Set{}
	for _, base := range serverlessBases {
		sam := samOptions(base.ref, base.runtime)
		for _, sam.Arch = range []string{"amd64", "arm64"} {
			language, err := serverlessLanguage(ctx, sam, base.program, base.version, options.NodeOpenSSL)
			if err != nil {
				return nil, err
			}
			image, err := runningBase(ctx, sam, options.Size, "", language)
			if err != nil {
				return nil, err
			}
			set.add(base.ref, sam.Arch, image)
			if lambda, ok := lambdaBases[base.ref]; ok {
				image, err := lambdaBase(ctx, sam, language)
				if err != nil {
					return nil, err
				}
				set.add(lambda, sam.Arch, image)
			}
		}
	}
	return set, nil
}

// add adds an image to the index under ref, and under the tag of its architecture.
func (s Set) add(ref, arch string, image v1.Image) {
	s[ref] = append(s[ref], image)
	s[ref+archSuffix(arch)] = []v1.Image{image}
}

// samOptions reads the SAM version in a reference.
func samOptions(ref, runtime string) SAMBaseOptions {
	_, tag, _ := strings.Cut(ref, ":")
	version, _, _ := strings.Cut(tag, "-")
	return SAMBaseOptions{Runtime: runtime, SAMVersion: version, Docker: true}
}

func archSuffix(arch string) string {
	return map[string]string{"amd64": "-x86_64", "arm64": "-arm64"}[arch]
}

// serverlessLanguage returns /var/lang of a runtime.
func serverlessLanguage(ctx context.Context, sam SAMBaseOptions, program, version, openSSL string) (Layer, error) {
	if program == "node" {
		return nodeRuntime(ctx, version, sam.Arch, cmp.Or(openSSL, "bookworm"))
	}
	if program == "python3" && sam.Arch == "amd64" {
		return Layer{Files: []File{{Path: "/var/lang/bin/python3", Link: "/usr/bin/python3"}}}, nil
	}
	if program == "python3" {
		version = strings.TrimPrefix(sam.Runtime, "python") + ".11"
	}
	data, err := Executable(ctx, program, sam.Arch, version)
	if err != nil {
		return Layer{}, err
	}
	return Layer{Files: []File{{Path: "/var/lang/bin/" + program, Mode: 0o755, Data: data}}}, nil
}

// runningBase combines a system, /var/lang, the tool chain and the CLIs, as [SAMBase] does. release
// is the release of the system; the default follows the runtime.
func runningBase(ctx context.Context, sam SAMBaseOptions, size int64, release string, language Layer) (v1.Image, error) {
	clis, err := cliFiles(ctx, sam)
	if err != nil {
		return nil, err
	}
	system, err := runningSystem(ctx, sam, release)
	if err != nil {
		return nil, err
	}
	image := ImageOptions{
		Arch:   sam.Arch,
		Docker: sam.Docker,
		Config: v1.Config{Env: samEnv(sam), WorkingDir: "/var/task", Cmd: []string{"/bin/bash"}},
	}
	add := func(step string, layer Layer) {
		image.Layers, image.History = append(image.Layers, layer), append(image.History, step)
	}
	for i, layer := range system {
		add([]string{"ADD amazonlinux.tar.xz / # buildkit", "ADD lambda.tar.xz / # buildkit"}[i+2-len(system)], layer)
	}
	add("ADD "+sam.Runtime+".tar.xz / # buildkit", language)
	add("RUN dnf groupinstall -y development # buildkit",
		Layer{Incompressible: max(size, 1), Blob: sam.Runtime + "-tools-" + sam.SAMVersion + "-" + sam.Arch})
	add("RUN curl -L aws-sam-cli-linux.zip # buildkit", Layer{Files: clis})
	image.History = append(image.History, "#ENTRYPOINT []", "#CMD [\"/bin/bash\"]")
	return Image(image)
}

// runningSystem returns the operating system of an image: that of its generation, and what Lambda
// adds to it. On arm64 it does not run, and is one layer.
func runningSystem(ctx context.Context, sam SAMBaseOptions, release string) ([]Layer, error) {
	generation, debian := "2023", "bookworm"
	if slices.Contains(al2, sam.Runtime) {
		generation, debian = "2", "bullseye"
	}
	skeleton := systemFiles(generation)
	if sam.Arch != "amd64" {
		return []Layer{{Files: skeleton}}, nil
	}
	root, err := DebianRoot(ctx, cmp.Or(release, debian), systemPackages...)
	if err != nil {
		return nil, err
	}
	return []Layer{root, {Files: lambdaFiles(skeleton)}}, nil
}

// systemPackages are installed in every system: a Python with ssl, as Amazon Linux
// has one for its own tools.
var systemPackages = []string{"python3-minimal"}

// lambdaFiles returns the files of a skeleton that Debian does not have: the name of the system
// that it stands for, and the directories of Lambda.
func lambdaFiles(skeleton []File) []File {
	var files []File
	for _, f := range skeleton {
		if f.Path == "/usr/lib/os-release" || strings.HasPrefix(f.Path, "/var/lang") || f.Path == "/var/task" || f.Path == "/var/runtime" {
			files = append(files, f)
		}
	}
	return files
}

// NodeBase makes one more node image, with the Node.js of a version, for amd64.
func NodeBase(ctx context.Context, ref, runtime, version string) (Set, error) {
	sam := samOptions(ref, runtime)
	sam.Arch = "amd64"
	language, err := NodeRuntime(ctx, version, sam.Arch)
	if err != nil {
		return nil, err
	}
	image, err := runningBase(ctx, sam, 0, "", language)
	if err != nil {
		return nil, err
	}
	return Set{ref: {image}, ref + archSuffix(sam.Arch): {image}}, nil
}

// TooNewNode makes an image that says nodejs18.x, which is for Amazon Linux 2, but has the Node of
// Debian trixie: it runs in its own image but needs a newer glibc than a runtime on Amazon Linux 2
// has. It exists only for amd64.
func TooNewNode(ctx context.Context) (Set, error) {
	language, err := keptLayer(ctx, "toonewnode", []string{"1"}, func(out io.Writer) error {
		archive := &tarWriter{Writer: tar.NewWriter(out), dirs: map[string]bool{}}
		if err := addDebianNode(ctx, archive); err != nil {
			return err
		}
		if err := addNPM(ctx, archive, npmFor("20")); err != nil {
			return err
		}
		return archive.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("making a layer of Debian's Node: %w", err)
	}
	sam := samOptions(TooNewNodeBase, "nodejs18.x")
	sam.Arch = "amd64"
	image, err := runningBase(ctx, sam, 0, "trixie", language)
	if err != nil {
		return nil, err
	}
	return Set{TooNewNodeBase: {image}, TooNewNodeBase + archSuffix(sam.Arch): {image}}, nil
}

// addDebianNode adds trixie's node and its libraries, except those of the C library itself, to
// /var/lang.
func addDebianNode(ctx context.Context, archive *tarWriter) error {
	dir, err := newWorkDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	debs, err := debianPackages(ctx, dir, "trixie", "amd64", "nodejs")
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if strings.HasPrefix(filepath.Base(deb), "libc6_") {
			continue
		}
		err := eachFile(ctx, deb, func(header *tar.Header, content io.Reader) error {
			file := path.Clean("/" + header.Name)
			switch {
			case header.Typeflag == tar.TypeDir:
				return nil
			case file == "/usr/bin/node" || file == "/usr/bin/nodejs":
				return addEntry(archive, "/var/lang/bin/"+path.Base(file), header, content)
			case path.Dir(file) == "/usr/lib/x86_64-linux-gnu" && strings.Contains(path.Base(file), ".so"):
				return addEntry(archive, "/var/lang/lib/"+path.Base(file), header, content)
			case strings.HasPrefix(file, "/usr/share/nodejs/"): // parts of node itself
				return addEntry(archive, file, header, content)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
