package llbgen

// The build file: what the user may write, and what each field means.

// Filename is the name of the build file that is looked for by default.
const Filename = "samforge.yaml"

// File is a build file as written, defaults filled in and build arguments applied. The YAML keys
// are the field names of its tags.
type File struct {
	// Kind is the name of the kind of images, such as "sam": see [KindNames].
	Kind string `yaml:"kind"`
	// Plugin is the vendor's image that the plugin's files are copied from.
	Plugin Plugin `yaml:"plugin"`
	// Repo is the repository the images are tagged in, without a tag.
	Repo string `yaml:"repo"`
	// Runtimes are the base images, one target each.
	Runtimes []RuntimeImage `yaml:"runtimes"`
	// Own are the sections that belong to one kind each.
	Own Sections `yaml:",inline"`
	// Node says how Node.js is added to the images; for kinds that take it from another image.
	Node NodeJS `yaml:"node"`
	// Docker is where the Docker CLI comes from.
	Docker Docker `yaml:"docker"`
	// GoTemplate is where the go-template binary comes from.
	GoTemplate GoTemplate `yaml:"goTemplate"`
	// Mirrors replace registries and URL prefixes.
	Mirrors Mirrors `yaml:"mirrors"`
	// Labels are added to the config of every image.
	Labels map[string]string `yaml:"labels"`
}

// Plugin names the plugin image.
type Plugin struct {
	Image   string `yaml:"image"`
	Version string `yaml:"version"`
}

// RuntimeImage is one base image. Name and SAMVersion are read from its reference; they are set by
// hand if the reference does not contain them.
type RuntimeImage struct {
	Image      string `yaml:"image"`
	Name       string `yaml:"name"`
	SAMVersion string `yaml:"samVersion"`
	// Node is the image that Node.js is taken from; for kinds that have Node.js.
	Node string `yaml:"node"`
}

// NodeJS says how Node.js is added to the images.
type NodeJS struct {
	// Layout is "merged" (the default), with the node image's files at the same places, or
	// "isolated", with the files below a prefix of their own, so that no other program loads their
	// libraries.
	Layout string `yaml:"layout"`
}

// Docker says where the Docker CLI comes from: the official image of a version (the default), any
// other image, or a static archive.
type Docker struct {
	Version string `yaml:"version"`
	Image   string `yaml:"image"`
	// Archive is the URL of a static archive; {{.Arch}} stands for amd64 or arm64, {{.Machine}} for
	// x86_64 or aarch64, {{.Version}} for Version.
	Archive string `yaml:"archive"`
	// SHA256 is the archive's checksum by architecture, in hexadecimal.
	SHA256 map[string]string `yaml:"sha256"`
	// Disabled is set by `docker: false`.
	Disabled bool `yaml:"-"`
}

// GoTemplate says which go-template binary is downloaded.
type GoTemplate struct {
	Version string `yaml:"version"`
	// SHA256 is the binary's checksum by architecture, in hexadecimal.
	SHA256 map[string]string `yaml:"sha256"`
	// Disabled is set by `goTemplate: false`.
	Disabled bool `yaml:"-"`
}

// Disable leaves the Docker CLI out.
func (d *Docker) Disable() { *d = Docker{Disabled: true} }

// Disable leaves go-template out.
func (g *GoTemplate) Disable() { *g = GoTemplate{Disabled: true} }

// Default versions, used if neither the build file nor a build argument names one.
const (
	// DefaultDockerVersion supports API 1.44 and later, which Docker Engine 29 requires. The
	// checksums of both its static archives are known.
	DefaultDockerVersion = "28.5.2"
	// DefaultGoTemplateVersion is the version in the vendor's own delegate in July 2026. Versions
	// before v0.4.8 lack security fixes.
	DefaultGoTemplateVersion = "v0.4.15"
	// DefaultNodeLayout is the layout of the published pipeline.
	DefaultNodeLayout = "merged"
)

func (f *File) setDefaults() {
	if d := &f.Docker; !d.Disabled && d.Version == "" && d.Image == "" && d.Archive == "" {
		d.Version = DefaultDockerVersion
	}
	if g := &f.GoTemplate; !g.Disabled && g.Version == "" {
		g.Version = DefaultGoTemplateVersion
	}
	if k, ok := kindNamed(f.Kind); ok {
		k.setDefaults(f)
	}
}
