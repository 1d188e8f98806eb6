package llbgen

// What a build file gets to read that has the name of a runtime, or an unknown image, as a base.

import (
	"fmt"
	"strings"

	"github.com/samforge/samforge/catalogue"
)

// NewestImage sets a function that finds the newest SAM build image of a runtime. [Load] calls it
// for a base image that is only the name of a runtime, such as python3.13, to say what to write. The
// function gets the mirrors of the build file, and returns "" if it does not find an image.
func NewestImage(find func(runtime string, mirrors Mirrors) string) LoadOption {
	return func(p *Plan) { p.newest = find }
}

// noRuntime says what to write for a base image whose reference does not contain a runtime. path is
// its entry of `runtimes`.
func (p *Plan) noRuntime(path, image string) string {
	if runtime, ok := p.catalogue.Runtime(image); ok && runtime.Images {
		return fmt.Sprintf("%q is a runtime, not an image: write %s", image, p.imageOf(image))
	}
	return fmt.Sprintf("no runtime can be read from %q (it has no build-<runtime>): set %s.name by hand, such as name: %s", image, path, p.likelyRuntime(image))
}

// imageOf says which image a runtime has.
func (p *Plan) imageOf(runtime string) string {
	if p.newest != nil {
		if image := p.newest(runtime, p.File.Mirrors); image != "" {
			return image + ", its newest image"
		}
	}
	return fmt.Sprintf("%s with the tag of a build, such as 1.143.0-20250822194415 (samforge init --runtime %s finds the newest)", catalogue.SAMRepository(runtime), runtime)
}

// likelyRuntime returns the runtime that an image reference is likely to mean: that of a Lambda base
// image, or one that a part of the repository is called by.
func (p *Plan) likelyRuntime(image string) string {
	named, err := catalogue.ParseReference(image)
	if err != nil {
		return exampleRuntime
	}
	parts := strings.FieldsFunc(named.Name(), func(r rune) bool { return r == '/' || r == '-' })
	for _, name := range append(parts, catalogue.ImageRuntime(named)) {
		if _, ok := p.catalogue.Runtime(name); ok {
			return name
		}
	}
	return exampleRuntime
}

// exampleRuntime is a runtime for examples.
const exampleRuntime = "python3.12"
