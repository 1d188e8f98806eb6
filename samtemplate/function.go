package samtemplate

import (
	"strings"

	"github.com/samforge/samforge/source"
)

// Function is a Lambda function whose code is a container image: a resource of one of the types
// AWS::Serverless::Function and AWS::Lambda::Function with PackageType Image.
//
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
type Function struct {
	// LogicalID is the name of the resource. In a loop, Fn::ForEach, it is the name that all
	// iterations have in common.
	LogicalID string
	// Path is LogicalID after those of the nested stacks around it, such as "Child/HelloFn".
	Path string
	// ResourceID is another name for the function in `sam package --image-repositories`:
	// SamResourceId of Metadata, or the id of a CDK construct. It is LogicalID if there is neither.
	ResourceID string
	// Iterations are the resources that a loop makes of the function; nil if it is in none.
	Iterations []string
	// Type is the resource's type.
	Type string
	// At is the place of the resource.
	At source.Position

	// Origin says where the image comes from.
	Origin Origin
	// Reason says why nothing is built; "" if an image is built.
	Reason string
	// Archive is the path of the image archive that ImageUri names; "" if it names none.
	Archive string

	Build

	// ImageUri is the image that the template names, as it is given.
	ImageUri Text
	// Architecture is x86_64, which is the default, or arm64.
	Architecture Text
	// ImageConfig takes the place of settings of the image.
	ImageConfig ImageConfig
	// Timeout is in seconds.
	Timeout Number
	// MemorySize is in MiB.
	MemorySize Number
	// EphemeralStorage is the size of /tmp in MiB.
	EphemeralStorage Number
	// Environment are the environment variables, in the order of the template.
	Environment []Variable
	// Routes are the requests of APIs that the function answers, in the order of the template.
	Routes []Route
	// HasURL is true if the function has an address of its own, FunctionUrlConfig.
	HasURL bool

	template *Template
	keys     []string // the way from the template's root to the resource
}

// Origin says where the image of a function comes from.
type Origin string

const (
	// FromDockerfile is the origin of an image that is built.
	FromDockerfile Origin = "dockerfile"
	// FromArchive is the origin of an image that is in a file.
	FromArchive Origin = "archive"
	// FromRegistry is the origin of an image that ImageUri names, and that is used as it is.
	FromRegistry Origin = "registry"
	// NotBuilt is the origin of the image of a function that is left as it is, because of SkipBuild
	// or a condition that is false.
	NotBuilt Origin = "none"
)

// Build says how to build a function's image. It is the resource's Metadata.
type Build struct {
	// Context is DockerContext as the template gives it; ContextDir is the path that it means.
	Context    Text
	ContextDir string
	// Dockerfile is a path in the context, or one that is absolute.
	Dockerfile Text
	// Tag is DockerTag, or latest. A number keeps its text: 1.10 is not 1.1.
	Tag Text
	// Image is DockerImage, the name of the local image.
	Image Text
	// Args are DockerBuildArgs, in the order of the template.
	Args []Variable
	// Target is DockerBuildTarget, the stage to build.
	Target Text
	// Event is SamforgeEvent, the path of an event that the function must answer.
	Event Text
	// Extra are the flags of DockerBuildExtraParams.
	Extra Extra
	// SkipBuild is true if the template says so.
	SkipBuild bool
}

// Variable is a build argument or an environment variable.
type Variable struct {
	Name  string
	Value Text
}

// ImageConfig takes the place of settings of an image.
// https://docs.aws.amazon.com/lambda/latest/api/API_ImageConfig.html
type ImageConfig struct {
	// Command and EntryPoint are nil if they are not given.
	Command, EntryPoint []Text
	WorkingDirectory    Text
	// Unresolved says why Command or EntryPoint is not known; nil if both are.
	Unresolved *Unresolved
}

// The architectures of functions.
const (
	archX86 = "x86_64"
	archARM = "arm64"
)

// Platform returns the platform of the image, such as linux/amd64.
func (f *Function) Platform() string {
	if f.Architecture.Reveal() == archARM {
		return "linux/arm64"
	}
	return "linux/amd64"
}

// LocalTag returns what `sam build` calls the image: DockerImage or the logical id, in lower case,
// and DockerTag.
func (f *Function) LocalTag() string {
	name := f.LogicalID
	if f.Image.Given() {
		name = f.Image.Reveal()
	}
	return strings.ToLower(name) + ":" + f.Tag.Reveal()
}

// Diagnostic returns a diagnostic about a place in the function's template, such as that of one of
// its settings.
func (f *Function) Diagnostic(at source.Position, format string, args ...any) *source.Diagnostic {
	return f.template.doc.Diagnostic(at, f.LogicalID, format, args...)
}

// Template returns the template that the function is in.
func (f *Function) Template() *Template { return f.template }

// ZipFunction is a function whose code is no container image.
type ZipFunction struct {
	// LogicalID and Path are as those of a [Function].
	LogicalID, Path string
	// At is the place of the resource.
	At source.Position
	// CodeUri is where the code is, as it is given; not given if the code is in the template.
	CodeUri Text
	// Local is true if CodeUri is a path, so that `sam package` has to upload the code.
	Local bool
}
