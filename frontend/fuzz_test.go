package frontend

import (
	"encoding/json"
	"testing"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzHistory: whatever the configurations of an image and of its base are, there is one with an
// entry for each layer of the base, and with everything else as it was, or a mistake.
func FuzzHistory(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"rootfs": {"diff_ids": ["sha256:a", "sha256:b"]}}`, `{"architecture": "amd64", "history": [{"created_by": "COPY"}], "extra": {"a": 1.10}}`},
		{`{"rootfs": {"diff_ids": ["sha256:a"]}, "history": [{"empty_layer": true}]}`, `{}`}, {`{"rootfs": {"diff_ids": ["sha256:a"]}}`, `null`}, {`null`, `null`}, {`{`, `{}`},
		{`{"rootfs": {"diff_ids": ["a"]}}`, `{"history": null}`}, {`{"rootfs": {"diff_ids": ["a"]}}`, `{"history": {}}`}, {`{"rootfs": {"diff_ids": ["a"]}}`, `{"History": [1]}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, base, config []byte) {
		completed, err := withHistoryOf(base, config, time.Unix(0, 0).UTC())
		if err != nil {
			return
		}
		var below ocispecs.Image
		if err := json.Unmarshal(base, &below); err != nil {
			t.Fatalf("a base that is none is taken: %s", base)
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal(config, &before) != nil {
			return // nothing was to be done
		}
		if err := json.Unmarshal(completed, &after); err != nil {
			t.Fatalf("%v: %s", err, completed)
		}
		for name, value := range before {
			if name != "history" && len(value) > 0 && len(after[name]) == 0 {
				t.Errorf("%s has lost %s: %s", config, name, completed)
			}
		}
	})
}
