package invoke

import (
	"bytes"
	"testing"
)

// On a terminal each response ends its line; elsewhere its bytes are what the function answered.
func TestResponsesEndTheirLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		endLines bool
		want     string
	}{
		"on a terminal": {true, "{\"a\":1}\n\"b\"\n"},
		"in a file":     {false, "{\"a\":1}\"b\"\n"},
	} {
		var out bytes.Buffer
		i := &Invoker{opt: Options{Stdout: &out, EndLines: test.endLines}}
		in := &running{Call: &Call{Invocations: 3}}
		answers := []string{`{"a":1}`, "\"b\"\n", ""}
		for request := range in.requests(t.Context(), i.responses()) {
			if _, err := request.Out.Write([]byte(answers[0])); err != nil {
				t.Fatal(err)
			}
			answers = answers[1:]
			if err := endLine(request.Out); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != test.want {
			t.Errorf("%s: %q, want %q", name, out.String(), test.want)
		}
	}
}
