// Package plan says what a build would do, without building: [New] resolves everything that the
// targets of a project name, and [Draw] shows which layers they share.
package plan

import (
	"encoding/json"
	"io"

	"github.com/samforge/samforge/llbgen"
)

// Plan is what a build would do, as far as that is known without building. docs/plan.md documents
// its JSON.
type Plan struct {
	// Images are one for each target and platform, in the order of the build file.
	Images []Image `json:"images"`
	// Sources are the inputs of the images, by name.
	Sources []Source `json:"sources"`
	// Totals are sums over the images and sources.
	Totals Totals `json:"totals"`
	// Warnings are those about the build file, and those from planning.
	Warnings []string `json:"warnings"`
}

// Image is one image for one platform.
type Image struct {
	Target   string `json:"target"`
	Platform string `json:"platform"`
	// Tags are the references that it will have; an index of several platforms gets the first of
	// them.
	Tags []string `json:"tags,omitempty"`
	// Existing is the digest that the first tag has now, if it exists in its registry: with
	// --skip-existing nothing is built then.
	Existing string  `json:"existing,omitempty"`
	Layers   []Layer `json:"layers"`
}

// Layer is a layer of an image, or all layers of its base.
type Layer struct {
	Name string `json:"name"`
	// Source says where its files come from, before mirrors.
	Source string `json:"source"`
	Action Action `json:"action"`
	// Size in bytes, compressed; 0 if it is not known before the layer is built.
	Size int64 `json:"size,omitempty"`
	// Blobs is how many layers of the base there are.
	Blobs int `json:"blobs,omitempty"`
}

// Source is an image, a download or a package.
type Source struct {
	Kind     llbgen.InputKind `json:"kind"`
	Name     string           `json:"name"`
	Platform string           `json:"platform,omitempty"`
	Digest   string           `json:"digest,omitempty"`
	Size     int64            `json:"size,omitempty"`
	Action   Action           `json:"action"`
}

// Action says what happens to a layer or a source.
type Action string

// The actions.
const (
	// ActionBuild makes a layer from its sources.
	ActionBuild Action = "build"
	// ActionSend sends the files of a build context to the builder.
	ActionSend Action = "send"
	// ActionPull pulls an image, because files are copied from it.
	ActionPull Action = "pull"
	// ActionMount mounts layers from another repository of the same registry; no bytes are sent.
	ActionMount Action = "mount"
	// ActionPresent means that the image's repository already has the layers.
	ActionPresent Action = "present"
	// ActionCopy copies layers from one registry to the other, without unpacking them.
	ActionCopy Action = "copy"
	// ActionReference is for layers of an image that is not pushed.
	ActionReference Action = "reference"
	// ActionDownload fetches a file.
	ActionDownload Action = "download"
	// ActionInstall installs a package with npm.
	ActionInstall Action = "install"
)

// WriteJSON writes the plan as JSON.
func (p *Plan) WriteJSON(w io.Writer) error { return writeJSON(w, p) }

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
