package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/docker/go-units"
)

// tableWidth is the width of the tables in columns. Only a single name can be wider.
const tableWidth = 120

// rows are the lines of a table. The last cell of a row is not padded, and goes below the others
// where the line would be too wide.
type rows struct {
	cells [][]string
	below map[int][]string // lines below a row, by its number
}

func (r *rows) add(cells ...string) { r.cells = append(r.cells, cells) }

// under adds a line below the last row.
func (r *rows) under(line string) {
	if r.below == nil {
		r.below = map[int][]string{}
	}
	last := len(r.cells) - 1
	r.below[last] = append(r.below[last], line)
}

func (r *rows) write(w io.Writer) error {
	var padded bytes.Buffer
	table := tabwriter.NewWriter(&padded, 0, 0, 2, ' ', 0)
	for _, cells := range r.cells {
		fmt.Fprintln(table, strings.Join(cells[:len(cells)-1], "\t")+"\t")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(padded.String(), "\n"), "\n") {
		last := r.cells[i][len(r.cells[i])-1]
		if len(line)+len(last) > tableWidth {
			line, last = strings.TrimRight(line, " "), "\n    "+last
		}
		fmt.Fprintln(&text, strings.TrimRight(line+last, " "))
		for _, below := range r.below[i] {
			fmt.Fprintln(&text, "    "+below)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// WriteTable writes the plan for people.
func (p *Plan) WriteTable(w io.Writer) error {
	images := &rows{}
	images.add("TARGET", "PLATFORM", "TAG EXISTS", "BASE", "LAYERS")
	for _, i := range p.Images {
		var layers []string
		for _, l := range i.Layers[1:] {
			layers = append(layers, l.Name)
		}
		base := i.Layers[0]
		images.add(i.Target, i.Platform, yes(i.Existing != ""), p.actions(base, i.Platform)+" "+humanSize(base.Size), strings.Join(layers, ", "))
		for _, tag := range i.Tags {
			images.under(tag)
		}
	}
	sources := &rows{}
	sources.add("ACTION", "SIZE", "PLATFORM", "DIGEST", "SOURCE")
	for _, s := range p.Sources {
		action := string(s.Action)
		if also := p.baseAction(s); also != "" && also != s.Action {
			action += "+" + string(also)
		}
		sources.add(action, humanSize(s.Size), cmp.Or(s.Platform, "-"), shortDigest(s.Digest), s.Name)
	}
	if err := images.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := sources.write(w); err != nil {
		return err
	}
	return writeEnd(w, p.Totals.String(), p.Warnings)
}

// writeEnd writes what follows the tables.
func writeEnd(w io.Writer, totals string, warnings []string) error {
	text := "\n" + totals + "\n"
	if len(warnings) > 0 {
		text += "\nWARNINGS\n" + strings.Join(warnings, "\n") + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// actions says what happens to the layers of a base. It is pulled too if files are copied from it.
func (p *Plan) actions(base Layer, platform string) string {
	for _, s := range p.Sources {
		if s.Action == ActionPull && s.Platform == platform && "image "+s.Name == base.Source {
			return string(ActionPull) + "+" + string(base.Action)
		}
	}
	return string(base.Action)
}

// baseAction is what happens to the layers of a source as the base of an image; "" if it is none.
func (p *Plan) baseAction(s Source) Action {
	for _, i := range p.Images {
		if i.Platform == s.Platform && i.Layers[0].Source == "image "+s.Name {
			return i.Layers[0].Action
		}
	}
	return ""
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// shortDigest is enough of a digest to compare two by eye.
func shortDigest(digest string) string {
	const algorithm, enough = len("sha256:"), 12
	if len(digest) > algorithm+enough {
		return digest[:algorithm+enough]
	}
	return cmp.Or(digest, "not pinned")
}

// humanSize formats a number of bytes for people.
func humanSize(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return units.HumanSize(float64(bytes))
}
