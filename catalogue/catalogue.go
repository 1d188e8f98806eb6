// Package catalogue knows the AWS images that samforge builds on: their runtimes and how they fit
// together, the checksums of downloads, and what an image reference says.
package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/suggest"
)

//go:embed catalogue.yaml
var catalogueYAML []byte

// Catalogue is what is known of the AWS SAM build images and of the Lambda base
// images that have Node.js: which runtimes there are, on which operating system, and
// which node images fit them. catalogue.yaml says where each fact comes from.
type Catalogue struct {
	// AsOf is the day that every [Runtime.Status] holds for, as YYYY-MM-DD.
	AsOf string `yaml:"asOf"`

	OSes  []OS   `yaml:"os"`
	Nodes []Node `yaml:"nodes"`

	// Rows are the runtimes as written, grouped by language, newest first.
	// Use [Catalogue.Runtimes], which fills in [Runtime.Nodes].
	Rows []Runtime `yaml:"runtimes"`
}

// OS is a generation of the operating system in the images.
type OS struct {
	Name  string `yaml:"name"`  // as in [Runtime.OS]: al1, al2 or al2023
	Title string `yaml:"title"` // for people: "Amazon Linux 2"

	Glibc   string       `yaml:"glibc"`
	Glibcxx VersionRange `yaml:"glibcxx"` // of libstdc++; empty where it is not known
	OpenSSL VersionRange `yaml:"openssl"` // of the system, not of /var/lang

	PackageManager string `yaml:"packageManager"`
	EOL            string `yaml:"eol"` // YYYY-MM-DD

	// Nodes names the SAM node images that run on it, newest first.
	Nodes []string `yaml:"nodes"`
}

// VersionRange spans the versions in the images of one [OS], old and new.
type VersionRange struct {
	Oldest string `yaml:"oldest"`
	Newest string `yaml:"newest"`
}

// Node is what the node binary of a node runtime needs of the system it runs
// on, and the smallest image that has it.
type Node struct {
	Runtime string `yaml:"runtime"`
	// Image is one build of the runtime's Lambda base image.
	Image string `yaml:"image"`
	// AWS is the build in the SAM image and in the Lambda base image, Official that
	// of nodejs.org.
	AWS      LibraryNeeds `yaml:"aws"`
	Official LibraryNeeds `yaml:"official"`
}

// LibraryNeeds names the newest versions of glibc and of libstdc++'s GLIBCXX
// that a binary asks for.
type LibraryNeeds struct {
	Bound   Bound  `yaml:"bound"`
	Glibc   string `yaml:"glibc"`
	Glibcxx string `yaml:"glibcxx"`
	Release string `yaml:"release"` // the release that was measured, if one was
}

// Bound says how exactly [LibraryNeeds] are known.
type Bound string

// The ways to know a need.
const (
	BoundExactly Bound = "exactly" // measured
	BoundAtLeast Bound = "atLeast" // the binary may need more
	BoundAtMost  Bound = "atMost"  // the binary may need less
)

// Status is how far AWS still maintains a runtime's SAM image.
type Status string

// The stages of a runtime's life, in order.
const (
	StatusCurrent    Status = "current"    // new images, before the end-of-life day
	StatusDeprecated Status = "deprecated" // past the end-of-life day; images may still be built
	StatusRemoved    Status = "removed"    // no new images; old tags stay pullable
)

// Runtime is one row of the catalogue: an AWS Lambda runtime and its SAM image
// public.ecr.aws/sam/build-<Name>. The JSON form is that of
// `samforge runtimes --format json`.
type Runtime struct {
	Name     string `yaml:"name" json:"name"`         // nodejs22.x
	Language string `yaml:"language" json:"language"` // nodejs
	Version  string `yaml:"version" json:"version"`   // 22
	OS       string `yaml:"os" json:"os"`             // al2023, a name in [Catalogue.OSes]

	// Architectures of the image, in the words of the OCI: amd64, arm64.
	Architectures []string `yaml:"architectures" json:"architectures"`
	// Images is false where there never was a SAM image.
	Images bool `yaml:"images" json:"images"`

	// Status holds for [Catalogue.AsOf]; [Runtime.StatusOn] knows later days.
	Status Status `yaml:"status" json:"status"`
	// EOL is the day AWS Lambda deprecates the runtime, as YYYY-MM-DD; empty
	// where AWS has not named one.
	EOL string `yaml:"eol" json:"eol,omitempty"`
	// Since is the first SAM CLI release that knows the runtime, Until the day
	// (YYYY-MM-DD) its image was given up. Both are empty where not known.
	Since string `yaml:"since" json:"since,omitempty"`
	Until string `yaml:"until" json:"until,omitempty"`
	// Successor names the runtime to move to.
	Successor string `yaml:"successor" json:"successor,omitempty"`
	Note      string `yaml:"note" json:"note,omitempty"`

	// Nodes names the node images that run on this runtime, the newest first: a
	// node runtime takes itself, any other what its operating system allows.
	Nodes []string `yaml:"-" json:"nodes"`
}

// Load parses the embedded catalogue. It is cheap, but not free: a
// caller keeps the result.
func Load() (*Catalogue, error) {
	c := new(Catalogue)
	if err := yaml.Load(catalogueYAML, c, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("reading the embedded runtime catalogue: %w", err)
	}
	return c, nil
}

// Runtime returns the row of that name.
func (c *Catalogue) Runtime(name string) (Runtime, bool) {
	i := slices.IndexFunc(c.Rows, func(r Runtime) bool { return r.Name == name })
	if i < 0 {
		return Runtime{}, false
	}
	return c.withNodes(c.Rows[i]), true
}

// Runtimes returns every row, grouped by language, newest first; the order
// does not change from call to call.
func (c *Catalogue) Runtimes() []Runtime {
	runtimes := make([]Runtime, len(c.Rows))
	for i, row := range c.Rows {
		runtimes[i] = c.withNodes(row)
	}
	return runtimes
}

// Nearest returns the runtime whose name is most like name, one that is still
// maintained where two are equally like it, or "" where none is.
func (c *Catalogue) Nearest(name string) string {
	var maintained, others []string
	for _, row := range c.Rows {
		if row.Status == StatusCurrent {
			maintained = append(maintained, row.Name)
		} else {
			others = append(others, row.Name)
		}
	}
	return suggest.Nearest(name, append(maintained, others...))
}

// OS returns the operating system generation of that name.
func (c *Catalogue) OS(name string) (OS, bool) {
	i := slices.IndexFunc(c.OSes, func(o OS) bool { return o.Name == name })
	if i < 0 {
		return OS{}, false
	}
	return c.OSes[i], true
}

// Node returns what the node binary of a node runtime needs. It is not known
// for runtimes older than nodejs16.x.
func (c *Catalogue) Node(runtime string) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Runtime == runtime })
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// NodeImage returns the image to take Node.js from for a runtime image: the smallest
// one of the newest Node.js that runs on it. A runtime that has Node.js itself takes
// its own image. It returns "" for an image of an unknown runtime.
func (c *Catalogue) NodeImage(runtimeImage string) string {
	ref, _ := ParseSAMReference(runtimeImage)
	switch runtime, ok := c.Runtime(ref.Runtime); {
	case !ok || len(runtime.Nodes) == 0:
		return ""
	case runtime.Language == "nodejs":
		return runtimeImage
	default:
		node, _ := c.Node(runtime.Nodes[0])
		return node.Image
	}
}

// NewestNodeImage returns the Lambda base image of the newest Node.js.
func (c *Catalogue) NewestNodeImage() string {
	if len(c.Nodes) == 0 {
		return ""
	}
	return c.Nodes[0].Image
}

// StatusOn returns the status on a day: a runtime that was current when the
// catalogue was written is deprecated from its end-of-life day on.
func (r Runtime) StatusOn(day time.Time) Status {
	if r.Status == StatusCurrent && r.EOL != "" && r.EOL <= day.Format(time.DateOnly) {
		return StatusDeprecated
	}
	return r.Status
}

func (c *Catalogue) withNodes(r Runtime) Runtime {
	switch os, _ := c.OS(r.OS); {
	case !r.Images:
		r.Nodes = []string{}
	case r.Language == "nodejs":
		r.Nodes = []string{r.Name}
	default:
		r.Nodes = slices.Clone(os.Nodes)
	}
	return r
}
