package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/tonistiigi/vt100"
)

// Measures of the picture of a terminal, in pixels.
const (
	castColumn = 7.23 // width of a character at 12 px
	castRow    = 18
	castPad    = 14
)

// terminalSVG draws the used lines of a screen, with their text edited. Its colours are those that
// the reader prefers, light or dark.
func terminalSVG(screen *vt100.VT100, edit func(string) string) string {
	lines := usedLines(screen)
	width, height := castColumns*castColumn+2*castPad, lines*castRow+2*castPad
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="12">`+"\n", width, height, width, height)
	b.WriteString(`  <style>rect { fill: #f6f8fa; stroke: #d0d7de } text { fill: #1f2328; white-space: pre } .b { font-weight: bold } .blue { fill: #0550ae } .red { fill: #b3261e } .yellow { fill: #7d4e00 }` +
		` @media (prefers-color-scheme: dark) { rect { fill: #161b22; stroke: #30363d } text { fill: #e6edf3 } .blue { fill: #79c0ff } .red { fill: #ff7b72 } .yellow { fill: #e3b341 } }</style>` + "\n")
	fmt.Fprintf(&b, `  <rect x="0.5" y="0.5" width="%.0f" height="%d" rx="6"/>`+"\n", width-1, height-1)
	for y := range lines {
		text := fit(edit(strings.TrimRight(string(screen.Content[y]), " ")))
		if text != "" {
			fmt.Fprintf(&b, `  <text x="%d" y="%d" xml:space="preserve"%s>%s</text>`+"\n", castPad, castPad+y*castRow+13, look(screen.Format[y][0]), html.EscapeString(text))
		}
	}
	return b.String() + "</svg>\n"
}

// usedLines counts the lines of a screen up to the last one with text.
func usedLines(screen *vt100.VT100) int {
	lines := len(screen.Content)
	for lines > 0 && strings.TrimSpace(string(screen.Content[lines-1])) == "" {
		lines--
	}
	return lines
}

// timed is a line of progress with its time, which stands at the right.
var timed = regexp.MustCompile(`^( =>.*?) +(\d+\.\ds)$`)

// fit cuts a line to the width of the terminal, and puts the time of a step at its right.
func fit(line string) string {
	end := ""
	if m := timed.FindStringSubmatch(line); m != nil {
		line, end = m[1], m[2]
	}
	most := castColumns - 1 - len(end)
	if text := []rune(line); len(text) > most {
		line = string(text[:most-1]) + "…"
	}
	if end != "" {
		line = fmt.Sprintf("%-*s%s", most, line, end)
	}
	return line
}

// look returns the class of a line, by the look of its first character: a colour, or bold.
func look(f vt100.Format) string {
	switch f.Fg {
	case vt100.Blue, vt100.Cyan:
		return ` class="blue"`
	case vt100.Red:
		return ` class="red"`
	case vt100.Yellow:
		return ` class="yellow"`
	}
	if f.Intensity == vt100.Bright {
		return ` class="b"`
	}
	return ""
}
