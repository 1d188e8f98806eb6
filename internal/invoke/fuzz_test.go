package invoke

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/samforge/samforge/internal/lambda/instance"
)

// FuzzVariables: whatever a file of variables is, there are texts or a mistake. A text and a number
// arrive as they are written.
func FuzzVariables(f *testing.F) {
	for _, seed := range []string{
		`{"Parameters": {"A": "b", "N": 12345678, "F": 1.10, "T": true, "Z": null, "L": [1], "M": {"a": "b"}}}`, `{"Hello": {"A": "\u0000\ud800"}}`, `{"A": "b"}`, `null`, `[]`, `{"Parameters": null}`, `{"A": {"B": 1e400}}`, "{",
	} {
		f.Add([]byte(seed), "text", int64(12345678))
	}
	f.Fuzz(func(t *testing.T, data []byte, text string, number int64) {
		if all, err := parseVariables(data); err != nil && err.Error() == "" || err == nil && !json.Valid(data) {
			t.Errorf("%q is read as %q, %v", data, all, err)
		}
		if !utf8.ValidString(text) {
			return // JSON has no such texts
		}
		written, err := json.Marshal(map[string]map[string]any{"F": {"text": text, "number": number}})
		if err != nil {
			t.Fatal(err)
		}
		all, err := parseVariables(written)
		if of := all["F"]; err != nil || string(of["text"]) != text || string(of["number"]) != strconv.FormatInt(number, 10) {
			t.Errorf("%s is read as %q, %v", written, of, err)
		}
	})
}

// FuzzListen: whatever comes from an instance, there is a report or a mistake. Logs and responses
// that come before it are passed on, each to its place.
func FuzzListen(f *testing.F) {
	for _, seed := range []string{
		`{"Log": "bG9n"}{"Chunk": "Y2h1bms="}{"Warning": "w"}{"Done": {"Duration": 1}}`, `{"Done": null}`, `{"Done": {"Err": {"Type": "x", "Body": "e30="}}}`, `{"Log": 1}`, "{", "", "null", `{"Chunk": "?"}`,
	} {
		f.Add([]byte(seed), []byte("log\n"), []byte("chunk"))
	}
	f.Fuzz(func(t *testing.T, data, log, chunk []byte) {
		var out, logs bytes.Buffer
		i := &Invoker{opt: Options{Stdout: &out, Stderr: &logs}}
		if report, err := i.listen(&link{to: json.NewEncoder(io.Discard), from: json.NewDecoder(bytes.NewReader(data))}, &out); (report == nil) != (err != nil) {
			t.Errorf("%v, %v", report, err)
		} else if err != nil && !strings.HasPrefix(err.Error(), "the connection to the instance") {
			t.Errorf("the mistake does not say where: %v", err)
		}
		out.Reset()
		logs.Reset()
		var stream bytes.Buffer
		encoder := json.NewEncoder(&stream)
		for _, m := range []instance.Message{{Log: log}, {Chunk: chunk}, {Done: &instance.Report{Memory: 1}}} {
			if err := encoder.Encode(m); err != nil {
				t.Fatal(err)
			}
		}
		report, err := i.listen(&link{to: json.NewEncoder(io.Discard), from: json.NewDecoder(&stream)}, &out)
		if err != nil || report.Memory != 1 || !bytes.Equal(out.Bytes(), chunk) || !bytes.Equal(logs.Bytes(), log) {
			t.Errorf("%q and %q arrive as %q and %q, %v, %v", log, chunk, logs.Bytes(), out.Bytes(), report, err)
		}
	})
}
