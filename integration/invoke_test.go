package integration

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
)

// The functions of the example answer their events, each in its language, and say what they needed.
func TestInvokeExample(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	report := regexp.MustCompile(`(?m)^START RequestId: (\S+) Version: \$LATEST\n(?:.*\n)*END RequestId: (\S+)\nREPORT RequestId: (\S+)\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: [1-9]\d* MB\tInit Duration: [\d.]+ ms$`)
	for function, answer := range answers {
		t.Run(function, func(t *testing.T) {
			r := a.run(nil, "invoke", b.Buildkitd.Addr, function, "-e", filepath.Join(filepath.Dir(a.template), "events", function+".json"))
			var got, want any
			must(t, json.Unmarshal([]byte(answer), &want))
			if err := json.Unmarshal([]byte(r.stdout), &got); r.code != 0 || err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("exit code %d, %v\nstdout: %s\nstderr: %s", r.code, err, r.stdout, r.stderr)
			}
			if ids := report.FindStringSubmatch(r.stderr); ids == nil || ids[1] != ids[2] || ids[2] != ids[3] {
				t.Errorf("the report is not that of Lambda:\n%s", r.stderr)
			}
		})
	}
}
