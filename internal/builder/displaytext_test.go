package builder

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/samforge/samforge/internal/printer"
)

const hostile = "\x1b]0;owned\a \u202e"

// hostileStatus has a secret and a terminal control sequence in every text that others write.
func hostileStatus(secret string) *client.SolveStatus {
	failed := vertex("npm ci", 0, 5)
	failed.Name += hostile + secret + "\n"
	failed.Error = "401: you sent " + secret + hostile
	named := failed.Digest
	return &client.SolveStatus{
		Vertexes: []*client.Vertex{failed},
		Statuses: []*client.VertexStatus{{Vertex: named, ID: "pull " + secret + hostile, Started: at(1), Completed: at(2)}},
		Warnings: []*client.VertexWarning{{Vertex: named, Short: []byte("warned " + secret + hostile)}},
	}
}

func TestDisplayMasksAndEscapesWhatOthersWrite(t *testing.T) {
	t.Parallel()
	const secret = "npm_0123456789"
	for _, mode := range []string{"plain", "rawjson"} {
		var secrets printer.Secrets
		secrets.Add(secret)
		var out bytes.Buffer
		d, err := NewDisplay(&out, mode)
		if err != nil {
			t.Fatal(err)
		}
		d.start(&secrets, nil)
		w := d.writer("java21")
		w.write(vertices(vertex("npm ci", 0)))
		for _, piece := range []string{"npm error Bearer npm_0123", "456789 " + hostile + "\n\x1b[31mred\x1b[", "0m npm_01234"} {
			w.write(logs("npm ci", piece))
		}
		w.write(hostileStatus(secret))
		d.send(hostileStatus(secret))
		d.stop()

		got := out.String()
		if strings.Contains(got, secret) || strings.Contains(got, base64.StdEncoding.EncodeToString([]byte(secret))[:16]) {
			t.Errorf("%s shows the secret:\n%s", mode, got)
		}
		if mode == "rawjson" {
			continue // which escapes what JSON requires
		}
		if strings.ContainsAny(got, "\x1b\a\u202e") {
			t.Errorf("%s controls the terminal:\n%q", mode, got)
		}
		for _, want := range []string{`npm error Bearer *** \x1b]0;owned\x07 \u202e`, "red npm_01234\n", `401: you sent ***\x1b]0;owned`, `WARN: warned ***`, `pull ***`, ` > npm ci\x1b]0;owned\x07 \u202e***\n:`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not show %q:\n%s", mode, want, got)
			}
		}
	}
}

// progressui's terminal mode adds its own control sequences, and passes names on.
func TestDisplayCleansBeforeTheTerminalModeDraws(t *testing.T) {
	t.Parallel()
	var secrets printer.Secrets
	secrets.Add("npm_0123456789")
	d := &Display{secrets: &secrets, mode: "tty", outputs: map[output]*printer.Stream{}}
	st := hostileStatus("npm_0123456789")
	st.Logs = []*client.VertexLog{{Vertex: digest.FromString("npm ci"), Stream: 1, Data: []byte("\x1b[2J npm_0123456789\rover")}}
	d.clean(st)
	for _, text := range []string{st.Vertexes[0].Name, st.Vertexes[0].Error, st.Statuses[0].ID, string(st.Warnings[0].Short), string(st.Logs[0].Data)} {
		if strings.ContainsAny(text, "\x1b\a\u202e\r") || strings.Contains(text, "npm_0123456789") {
			t.Errorf("%q", text)
		}
	}
}

func TestDisplaySaysThatACacheIsNew(t *testing.T) {
	t.Parallel()
	got := plain(t, func(d *Display) {
		w := d.writer("java21")
		name := "importing cache manifest from registry.example.com/cache:java21"
		w.write(vertices(vertex(name, 0)))
		for _, job := range []*jobWriter{w, w, d.writer("python3.12")} {
			missing := vertex(name, 0, 1)
			missing.Error = "failed to configure registry cache importer: registry.example.com/cache:java21: not found"
			job.write(vertices(missing))
		}
	})
	if strings.Contains(got, "------") || strings.Contains(got, "ERROR") || strings.Count(got, "the cache does not exist yet") != 1 {
		t.Errorf("got\n%s", got)
	}
}
