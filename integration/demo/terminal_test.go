package main

import (
	"strings"
	"testing"

	"github.com/tonistiigi/vt100"
)

// A picture of a terminal has its lines with their looks, fitted to its width.
func TestTerminalSVG(t *testing.T) {
	t.Parallel()
	screen := vt100.NewVT100(20, 2*castColumns)
	for _, text := range []string{"\x1b[1m$ samforge build\x1b[0m\r\n", "\x1b[34m => a step   0.1s\x1b[0m\r\n", "\r\n", "<a & b> " + strings.Repeat("x", castColumns)} {
		if _, err := screen.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	svg := terminalSVG(screen, func(line string) string { return strings.ReplaceAll(line, "step", "long step") })
	for _, want := range []string{
		` class="b">$ samforge build</text>`,
		` class="blue"> =&gt; a long step` + strings.Repeat(" ", castColumns-1-len(" => a long step0.1s")) + `0.1s</text>`,
		`&lt;a &amp; b&gt; ` + strings.Repeat("x", castColumns-10) + `…</text>`,
		"prefers-color-scheme: dark",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("it does not have %q:\n%s", want, svg)
		}
	}
	if n := strings.Count(svg, "<text"); n != 3 {
		t.Errorf("%d lines have text, want 3", n)
	}
}
