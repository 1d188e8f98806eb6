package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Picture shows which images have which layers. A layer that several images share appears once. In a
// picture of the functions of a SAM template the layers are what they are built from: other images, and
// build contexts.
type Picture struct {
	Images []PictureImage `json:"images"`
	// Layers are in the order of the images, the lowest first.
	Layers []PictureLayer `json:"layers"`
}

// PictureImage is one image for one platform.
type PictureImage struct {
	Name string `json:"name"` // the target, and the platform if there are several
	// Layers are the IDs of its layers, the lowest first.
	Layers []string `json:"layers"`
}

// PictureLayer is a layer of images, or all layers of their base.
type PictureLayer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Source string `json:"source"`
	Action Action `json:"action"`
	Size   int64  `json:"size,omitempty"`
	Files  int    `json:"files,omitempty"` // of a build context
	// Platform is that of an image whose name is that of the layer.
	Platform string `json:"platform,omitempty"`
}

// picture returns the picture of a plan.
func (p *Plan) picture() *Picture {
	pic := &Picture{}
	ids := map[[3]string]string{}
	var rows []string // names of layers, each above the layers that are below it in an image
	for _, image := range p.Images {
		shown := PictureImage{Name: image.Target}
		if p.severalPlatforms() {
			shown.Name += " " + image.Platform
		}
		for i, layer := range image.Layers {
			key := [3]string{layer.Name, layer.Source, image.Platform}
			id, ok := ids[key]
			if !ok {
				id = fmt.Sprintf("layer%d", len(ids)+1)
				ids[key] = id
				pic.Layers = append(pic.Layers, PictureLayer{ID: id, Name: layer.Name, Source: layer.Source, Action: layer.Action, Size: layer.Size})
			}
			if !slices.Contains(rows, layer.Name) {
				above := 0
				if i > 0 {
					above = slices.Index(rows, image.Layers[i-1].Name) + 1
				}
				rows = slices.Insert(rows, above, layer.Name)
			}
			shown.Layers = append(shown.Layers, id)
		}
		pic.Images = append(pic.Images, shown)
	}
	slices.SortStableFunc(pic.Layers, func(a, b PictureLayer) int {
		return cmp.Compare(slices.Index(rows, a.Name), slices.Index(rows, b.Name))
	})
	return pic
}

func (p *Plan) severalPlatforms() bool {
	return slices.ContainsFunc(p.Images, func(i Image) bool { return i.Platform != p.Images[0].Platform })
}

// PictureFormats are the formats that [Picture.Write] knows.
func PictureFormats() []string { return []string{"svg", "dot", "mermaid", "json"} }

// Write writes the picture in one of [PictureFormats].
func (p *Picture) Write(w io.Writer, format string) error {
	var text string
	switch format {
	case "json":
		return writeJSON(w, p)
	case "dot":
		text = p.dot()
	case "mermaid":
		text = p.mermaid()
	case "svg":
		text = p.svg()
	default:
		return fmt.Errorf("unknown format %q: use %s", format, strings.Join(PictureFormats(), ", "))
	}
	_, err := io.WriteString(w, text)
	return err
}

// title returns the text in a layer's box.
func (l PictureLayer) title() string {
	if l.Files > 0 {
		return fmt.Sprintf("%s (%d files, %s)", l.Name, l.Files, humanSize(l.Size))
	}
	if l.Size > 0 {
		return fmt.Sprintf("%s (%s, %s)", l.Name, l.Action, humanSize(l.Size))
	}
	return l.Name
}

// detail returns what tells the layer from others with its title.
func (l PictureLayer) detail() string { return cmp.Or(l.Platform, l.Source) }

// dot is Graphviz's language: https://graphviz.org/doc/info/lang.html
func (p *Picture) dot() string {
	var b strings.Builder
	b.WriteString("digraph samforge {\n  rankdir=LR\n  node [shape=box, fontname=\"sans-serif\"]\n")
	for _, l := range p.Layers {
		fmt.Fprintf(&b, "  %s [label=%q]\n", l.ID, l.title()+"\n"+l.detail())
	}
	for n, image := range p.Images {
		fmt.Fprintf(&b, "  image%d [label=%q, style=bold]\n", n+1, image.Name)
		for i, id := range image.Layers {
			fmt.Fprintf(&b, "  %s -> image%d [label=%d]\n", id, n+1, i+1)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// mermaid is a flowchart: https://mermaid.js.org/syntax/flowchart.html
func (p *Picture) mermaid() string {
	quote := strings.NewReplacer(`"`, "#quot;", "\n", "<br/>")
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, l := range p.Layers {
		fmt.Fprintf(&b, "  %s[\"%s\"]\n", l.ID, quote.Replace(l.title()+"\n"+l.detail()))
	}
	for n, image := range p.Images {
		fmt.Fprintf(&b, "  image%d([\"%s\"])\n", n+1, quote.Replace(image.Name))
		for i, id := range image.Layers {
			fmt.Fprintf(&b, "  %s -- %d --> image%d\n", id, i+1, n+1)
		}
	}
	return b.String()
}
