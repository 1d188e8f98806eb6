package plan

import (
	"fmt"

	"github.com/docker/go-units"
)

// Totals are sums over a plan. The bytes are those of different layers, compressed, whatever the
// number of images that have them.
type Totals struct {
	// Images is the number of images, and Existing that of those whose first tag exists.
	Images   int `json:"images"`
	Existing int `json:"existing"`
	// PullBytes are pulled because files are copied from the image.
	PullBytes int64 `json:"pullBytes"`
	// MountBytes stay in their registry, and CopyBytes are copied to another one: layers of bases.
	MountBytes int64 `json:"mountBytes"`
	CopyBytes  int64 `json:"copyBytes"`
}

// total sums up the plan.
func (p *Plan) total() (t Totals) {
	t.Images = len(p.Images)
	for _, i := range p.Images {
		if i.Existing != "" {
			t.Existing++
		}
	}
	for _, s := range p.Sources {
		if s.Action == ActionPull {
			t.PullBytes += s.Size
		}
		switch p.baseAction(s) {
		case ActionMount:
			t.MountBytes += s.Size
		case ActionCopy:
			t.CopyBytes += s.Size
		}
	}
	return t
}

// String returns the sentence below the table.
func (t Totals) String() string {
	size := func(bytes int64) string { return units.HumanSize(float64(bytes)) }
	return fmt.Sprintf("%s: %d new, %d with a tag that exists (--skip-existing leaves them out); pull %s, mount %s, copy %s",
		count(t.Images, "image"), t.Images-t.Existing, t.Existing, size(t.PullBytes), size(t.MountBytes), size(t.CopyBytes))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
