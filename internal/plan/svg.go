package plan

import (
	"cmp"
	"fmt"
	"html"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Measures of the SVG, in pixels.
const (
	svgRow       = 30 // height of an image
	svgHead      = 34 // height of the names of the columns
	svgCharacter = 7  // width of a character, at the size of the labels
	svgPad       = 8
	svgSpine     = 8 // width of the bar that connects the parts of a layer
	svgGap       = 3
)

// svg draws a row for each image and a column for each of its steps, the base first. A layer is one
// box across the rows of the images that have it. If other images lie between them, a bar at its
// left edge connects its parts.
func (p *Picture) svg() string {
	rows := p.rows()
	columns := p.columns()
	left := svgPad + width(names(rows))
	var b strings.Builder
	x := left
	var drawn strings.Builder
	for n, column := range columns {
		w := svgSpine + 2*svgPad + width(append(labels(column), column[0].Name))
		fmt.Fprintf(&drawn, `  <text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x+svgSpine, svgHead-12, html.EscapeString(column[0].Name))
		for i, l := range column {
			svgLayer(&drawn, l, rows, x, w-2*svgGap, n+i)
		}
		x += w
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", x+svgPad, svgHead+len(rows)*svgRow+svgPad)
	// The names stand on the page's own ground, which is dark for who prefers that.
	b.WriteString("  <style>@media (prefers-color-scheme: dark) { svg > text { fill: #e6edf3 } }</style>\n")
	for i, image := range rows {
		fmt.Fprintf(&b, `  <text x="%d" y="%d">%s</text>`+"\n", svgPad, svgHead+i*svgRow+svgRow/2+4, html.EscapeString(image.Name))
	}
	return b.String() + drawn.String() + "</svg>\n"
}

// svgLayer draws one layer at x: its box, which is one shape, and its label in the widest part of
// the box.
func svgLayer(b *strings.Builder, l PictureLayer, rows []PictureImage, x, w, n int) {
	colours := []string{"#cfe2f3", "#d9ead3", "#fff2cc", "#f4cccc", "#d9d2e9", "#fce5cd", "#d0e0e3", "#ead1dc"}
	runs := runsOf(l, rows)
	if len(runs) == 0 {
		return
	}
	at := func(row int) int { return svgHead + row*svgRow }
	largest := slices.MaxFunc(runs, func(a, b run) int { return cmp.Compare(a.rows(), b.rows()) })
	var shape strings.Builder // down the right edges of its parts, and up the left edge
	fmt.Fprintf(&shape, "M%d %d", x, at(runs[0].first)+svgGap)
	for i, r := range runs {
		if i > 0 {
			fmt.Fprintf(&shape, " H%d V%d", x+svgSpine, at(r.first)+svgGap)
		}
		fmt.Fprintf(&shape, " H%d V%d", x+w, at(r.last+1)-svgGap)
	}
	fmt.Fprintf(&shape, " H%d Z", x)
	fmt.Fprintf(b, `  <g><title>%s: %s</title><path d="%s" fill="%s" stroke="#666" stroke-linejoin="round"/>`,
		html.EscapeString(l.title()), html.EscapeString(l.detail()), &shape, colours[n%len(colours)])
	name, version := l.label()
	middle := (at(largest.first) + at(largest.last+1)) / 2
	if version == "" {
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`, x+svgSpine+svgPad/2, middle+4, html.EscapeString(name))
	} else {
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="11">%s</text>`, x+svgSpine+svgPad/2, middle-2, html.EscapeString(name))
		fmt.Fprintf(b, `<text x="%d" y="%d" font-size="10" fill="#333">%s</text>`, x+svgSpine+svgPad/2, middle+9, html.EscapeString(version))
	}
	b.WriteString("</g>\n")
}

// run is a range of rows, including both ends.
type run struct{ first, last int }

func (r run) rows() int { return r.last - r.first + 1 }

// runsOf returns the rows of the images that have a layer.
func runsOf(l PictureLayer, rows []PictureImage) []run {
	var runs []run
	for i, image := range rows {
		switch {
		case !slices.Contains(image.Layers, l.ID):
		case len(runs) > 0 && runs[len(runs)-1].last == i-1:
			runs[len(runs)-1].last = i
		default:
			runs = append(runs, run{i, i})
		}
	}
	return runs
}

// rows orders the images so that those that share a layer are beside each other. The lowest layer
// above the base counts most.
func (p *Picture) rows() []PictureImage {
	rows := slices.Clone(p.Images)
	order := func(i PictureImage) []string {
		if len(i.Layers) < 2 {
			return i.Layers
		}
		return append([]string{i.Layers[1], i.Layers[0]}, i.Layers[2:]...)
	}
	slices.SortStableFunc(rows, func(a, b PictureImage) int { return slices.Compare(order(a), order(b)) })
	return rows
}

// columns groups the layers by name.
func (p *Picture) columns() [][]PictureLayer {
	var columns [][]PictureLayer
	for _, l := range p.Layers {
		i := slices.IndexFunc(columns, func(c []PictureLayer) bool { return c[0].Name == l.Name })
		if i < 0 {
			columns = append(columns, []PictureLayer{l})
		} else {
			columns[i] = append(columns[i], l)
		}
	}
	return columns
}

// versionInPath is a part of a URL that is a version.
var versionInPath = regexp.MustCompile(`/(v?\d+\.\d[\w.-]*)/`)

// label returns the name and the version of a layer's source: a name and a tag, or a file and the
// release that it belongs to. In place of the version a build context has its size, and an image its
// platform.
func (l PictureLayer) label() (name, version string) {
	switch {
	case l.Files > 0:
		return l.Source, fmt.Sprintf("%d files, %s", l.Files, humanSize(l.Size))
	case l.Platform != "":
		return path.Base(l.Name), l.Platform
	}
	words := strings.Fields(l.Source)
	if len(words) == 0 {
		return l.Name, ""
	}
	source := words[len(words)-1]
	name = strings.TrimPrefix(path.Base(source), "build-")
	if strings.Contains(source, "://") {
		if found := versionInPath.FindStringSubmatch(source); found != nil {
			version = found[1]
		}
		return name, version
	}
	name, digest, pinned := strings.Cut(name, "@")
	if n, tag, ok := strings.Cut(name, ":"); ok {
		return n, tag
	}
	if pinned { // an npm package, or an image by its digest alone
		version = digest[:min(len(digest), 19)]
	}
	return name, version
}

func labels(layers []PictureLayer) []string {
	var texts []string
	for _, l := range layers {
		name, version := l.label()
		texts = append(texts, name, version)
	}
	return texts
}

func names(images []PictureImage) []string {
	var texts []string
	for _, i := range images {
		texts = append(texts, i.Name)
	}
	return texts
}

// width returns the pixels that the longest of the texts needs.
func width(texts []string) (pixels int) {
	for _, text := range texts {
		pixels = max(pixels, len(text)*svgCharacter)
	}
	return pixels
}
