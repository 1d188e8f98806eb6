package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"path"
	"slices"
	"strings"
)

// Picture shows which images have which layers. A layer that several images share
// is there once.
type Picture struct {
	Images []PictureImage `json:"images"`
	// Layers are in the order of the images, the lowest first.
	Layers []PictureLayer `json:"layers"`
}

// PictureImage is one image for one platform.
type PictureImage struct {
	Name string `json:"name"` // target, and platform where there are several
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
}

// picture returns the picture of a plan.
func (p *Plan) picture() *Picture {
	pic := &Picture{}
	ids := map[[3]string]string{}
	var rows []string // names of layers, each above those that are below it in an image
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
				pic.Layers = append(pic.Layers, PictureLayer{id, layer.Name, layer.Source, layer.Action, layer.Size})
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
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
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

// title is what stands in a layer's box.
func (l PictureLayer) title() string {
	if l.Size > 0 {
		return fmt.Sprintf("%s (%s, %s)", l.Name, l.Action, humanSize(l.Size))
	}
	return l.Name
}

// short is the last part of a layer's source: the name of an image, of a file or of
// a package.
func (l PictureLayer) short() string {
	words := strings.Fields(l.Source)
	if len(words) == 0 {
		return l.Name
	}
	return strings.TrimPrefix(path.Base(words[len(words)-1]), "build-")
}

// fitting cuts a text to a width in pixels; what would be too little to read is "".
func fitting(text string, width int) string {
	const character, least = 7, 5
	fits := width / character
	switch {
	case len(text) <= fits:
		return text
	case fits < least:
		return ""
	}
	return text[:fits-1] + "…"
}

// dot is Graphviz's language: https://graphviz.org/doc/info/lang.html
func (p *Picture) dot() string {
	var b strings.Builder
	b.WriteString("digraph samforge {\n  rankdir=LR\n  node [shape=box, fontname=\"sans-serif\"]\n")
	for _, l := range p.Layers {
		fmt.Fprintf(&b, "  %s [label=%q]\n", l.ID, l.title()+"\n"+l.Source)
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
		fmt.Fprintf(&b, "  %s[\"%s\"]\n", l.ID, quote.Replace(l.title()+"\n"+l.Source))
	}
	for n, image := range p.Images {
		fmt.Fprintf(&b, "  image%d([\"%s\"])\n", n+1, quote.Replace(image.Name))
		for i, id := range image.Layers {
			fmt.Fprintf(&b, "  %s -- %d --> image%d\n", id, i+1, n+1)
		}
	}
	return b.String()
}

// Measures of the SVG, in pixels.
const (
	pictureColumn = 46
	pictureRow    = 44
	pictureName   = 190 // height of the names of the images
	pictureLegend = 110 // width of the text beside a row
	pictureGap    = 4
)

// svg draws a column for each image and, from the bottom up, a box for each layer
// across the columns of the images that have it. A layer whose columns are apart
// is one box with a line through the ones between.
func (p *Picture) svg() string {
	columns := p.columns()
	var rows []string
	for _, l := range p.Layers {
		if !slices.Contains(rows, l.Name) {
			rows = append(rows, l.Name)
		}
	}
	width, bottom := pictureLegend+len(columns)*pictureColumn+pictureName/2, 20+len(rows)*pictureRow
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, bottom+pictureName)
	for i, name := range rows {
		fmt.Fprintf(&b, `  <text x="10" y="%d">%s</text>`+"\n", bottom-i*pictureRow-pictureRow/2+4, html.EscapeString(name))
	}
	for n, l := range p.Layers {
		p.svgLayer(&b, l, columns, bottom-(slices.Index(rows, l.Name)+1)*pictureRow, n)
	}
	for n, image := range columns {
		x, y := pictureLegend+n*pictureColumn+pictureColumn/2, bottom+10
		fmt.Fprintf(&b, `  <text x="%d" y="%d" transform="rotate(60 %d %d)">%s</text>`+"\n", x, y, x, y, html.EscapeString(image.Name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgLayer draws one layer, its top at y.
func (p *Picture) svgLayer(b *strings.Builder, l PictureLayer, columns []PictureImage, y, n int) {
	colours := []string{"#cfe2f3", "#d9ead3", "#fff2cc", "#f4cccc", "#d9d2e9", "#fce5cd", "#d0e0e3", "#ead1dc"}
	fmt.Fprintf(b, `  <g><title>%s: %s</title>`, html.EscapeString(l.title()), html.EscapeString(l.Source))
	last := -1
	for n, image := range columns {
		if slices.Contains(image.Layers, l.ID) {
			last = n
		}
	}
	first := slices.IndexFunc(columns, func(i PictureImage) bool { return slices.Contains(i.Layers, l.ID) })
	fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#666"/>`,
		pictureLegend+first*pictureColumn+pictureGap, y+pictureRow/2, pictureLegend+(last+1)*pictureColumn-pictureGap, y+pictureRow/2)
	for from := first; from <= last; from++ {
		if !slices.Contains(columns[from].Layers, l.ID) {
			continue
		}
		to := from
		for to+1 <= last && slices.Contains(columns[to+1].Layers, l.ID) {
			to++
		}
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="%s" stroke="#666"/>`,
			pictureLegend+from*pictureColumn+pictureGap/2, y+pictureGap/2, (to-from+1)*pictureColumn-pictureGap, pictureRow-pictureGap, colours[n%len(colours)])
		if text := fitting(l.short(), (to-from+1)*pictureColumn-4*pictureGap); text != "" {
			fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, pictureLegend+(from+to+1)*pictureColumn/2, y+pictureRow/2+4, html.EscapeString(text))
		}
		from = to
	}
	b.WriteString("</g>\n")
}

// columns are the images, those that share a layer beside each other: what is
// lowest in the image and not its base counts most.
func (p *Picture) columns() []PictureImage {
	columns := slices.Clone(p.Images)
	order := func(i PictureImage) []string {
		if len(i.Layers) < 2 {
			return i.Layers
		}
		return append([]string{i.Layers[1], i.Layers[0]}, i.Layers[2:]...)
	}
	slices.SortStableFunc(columns, func(a, b PictureImage) int { return slices.Compare(order(a), order(b)) })
	return columns
}
