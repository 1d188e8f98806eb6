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

// Catalogue lists the AWS SAM build images and the Lambda base images that have Node.js: the
// runtimes, their operating systems, and the node images that fit them. catalogue.yaml names the
// source of each fact.
type Catalogue struct {
	// AsOf is the day for which every [Runtime.Status] is true, as YYYY-MM-DD.
	AsOf string `yaml:"asOf"`

	OSes  []OS   `yaml:"os"`
	Nodes []Node `yaml:"nodes"`

	// Rows are the runtimes as written, grouped by language, newest first. Use
	// [Catalogue.Runtimes], which fills in [Runtime.Nodes].
	Rows []Runtime `yaml:"runtimes"`
}

// OS is a generation of the operating system in the images.
type OS struct {
	Name  string `yaml:"name"`  // as in [Runtime.OS]: al1, al2 or al2023
	Title string `yaml:"title"` // for people: "Amazon Linux 2"

	Glibc   string       `yaml:"glibc"`
	Glibcxx VersionRange `yaml:"glibcxx"` // of libstdc++; empty if unknown
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

// Node says what the node binary of a runtime needs from the operating system, and names the
// smallest image that has it.
type Node struct {
	Runtime string `yaml:"runtime"`
	// Image is one build of the runtime's Lambda base image.
	Image string `yaml:"image"`
	// AWS is the build in the SAM image and in the Lambda base image, Official the one from
	// nodejs.org.
	AWS      LibraryNeeds `yaml:"aws"`
	Official LibraryNeeds `yaml:"official"`
}

// LibraryNeeds names the newest versions of glibc and of libstdc++'s GLIBCXX that a binary needs.
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

// Status says whether AWS still maintains a runtime's SAM image.
type Status string

// The stages of a runtime's life, in order.
const (
	StatusCurrent    Status = "current"    // new images, before the end-of-life day
	StatusDeprecated Status = "deprecated" // past the end-of-life day; images may still be built
	StatusRemoved    Status = "removed"    // no new images; old tags stay pullable
)

// Runtime is one row of the catalogue: an AWS Lambda runtime and its SAM image
// public.ecr.aws/sam/build-<Name>. The JSON form is that of `samforge runtimes --format json`.
type Runtime struct {
	Name     string `yaml:"name" json:"name"`         // nodejs22.x
	Language string `yaml:"language" json:"language"` // nodejs
	Version  string `yaml:"version" json:"version"`   // 22
	OS       string `yaml:"os" json:"os"`             // al2023, a name in [Catalogue.OSes]

	// Architectures are those of the image, by their OCI names: amd64, arm64.
	Architectures []string `yaml:"architectures" json:"architectures"`
	// Images is false if there never was a SAM image.
	Images bool `yaml:"images" json:"images"`

	// Status holds for [Catalogue.AsOf]; [Runtime.StatusOn] knows later days.
	Status Status `yaml:"status" json:"status"`
	// EOL is the day AWS Lambda deprecates the runtime, as YYYY-MM-DD; empty if AWS has not named
	// one.
	EOL string `yaml:"eol" json:"eol,omitempty"`
	// Since is the first SAM CLI release that knows the runtime, Until the day (YYYY-MM-DD) its
	// image was given up. Both are empty if unknown.
	Since string `yaml:"since" json:"since,omitempty"`
	Until string `yaml:"until" json:"until,omitempty"`
	// Successor names the runtime to move to.
	Successor string `yaml:"successor" json:"successor,omitempty"`
	Note      string `yaml:"note" json:"note,omitempty"`

	// Nodes names the node images that run on this runtime, the newest first: for a node runtime
	// its own image, for others those that run on its operating system.
	Nodes []string `yaml:"-" json:"nodes"`
}

// Load parses the embedded catalogue. Call it once and keep the result.
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

// Runtimes returns every row, grouped by language, newest first; the order does not change from
// call to call.
func (c *Catalogue) Runtimes() []Runtime {
	runtimes := make([]Runtime, len(c.Rows))
	for i, row := range c.Rows {
		runtimes[i] = c.withNodes(row)
	}
	return runtimes
}

// Nearest returns the runtime whose name is most like name, or "". Of equally similar names it
// prefers one that AWS still maintains.
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

// Node returns what the node binary of a node runtime needs. The second result is false for
// runtimes older than nodejs16.x, where this is unknown.
func (c *Catalogue) Node(runtime string) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Runtime == runtime })
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// NodeImage returns the node image to use with a runtime image: the smallest one with the newest
// Node.js that runs on it. A runtime image that has Node.js is its own node image. For an unknown
// runtime it returns "".
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

// StatusOn returns the status on a day: a runtime that was current when the catalogue was written
// is deprecated from its end-of-life day on.
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
