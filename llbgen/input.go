package llbgen

import (
	"cmp"
	"maps"
	"slices"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// InputKind says what an [Input] is.
type InputKind string

// The kinds of inputs.
const (
	InputImage    InputKind = "image"
	InputDownload InputKind = "download"
	InputPackage  InputKind = "package"
)

// Input is an image, a download or a package that an image is made from.
type Input struct {
	Kind InputKind
	// Field is the place in the build file that asks for it.
	Field string
	// Name is the reference of an image, the URL of a download, or a package and its version;
	// before mirrors.
	Name string
	// Digest is what the reference points to, or the checksum of the download or of the npm lock.
	// It is empty for a download that nothing pins.
	Digest digest.Digest
	// Platform is the platform that an image is used for. Manifest is its digest for that platform,
	// if known.
	Platform ocispecs.Platform
	Manifest digest.Digest
}

// input records an input of the image.
func (b *build) input(in Input) {
	in.Platform = ocispecs.Platform{OS: in.Platform.OS, Architecture: in.Platform.Architecture}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inputs == nil {
		b.inputs = map[inputKey]Input{}
	}
	b.inputs[inputKey{in.Name, in.Platform.Architecture}] = in
}

// inputKey tells inputs apart.
type inputKey struct{ name, arch string }

func (b *build) sortedInputs() []Input {
	return slices.SortedFunc(maps.Values(b.inputs), func(x, y Input) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Platform.Architecture, y.Platform.Architecture))
	})
}
