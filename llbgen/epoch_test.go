package llbgen_test

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

func TestParseEpoch(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int64{"0": 0, "1700000000": 1700000000, "253402300799": 253402300799} {
		if got, err := llbgen.ParseEpoch(value); err != nil || got.Unix() != want {
			t.Errorf("%q is %v, %v", value, got, err)
		}
	}
	for value, want := range map[string]string{
		"":              "expected seconds since 1970",
		"yesterday":     "expected seconds since 1970",
		"context":       "git log -1 --format=%ct",
		"1e9":           "expected seconds since 1970",
		"-1":            "before 1970",
		"1700000000000": "not milliseconds",
		"253402300800":  "after the year 9999",
	} {
		if _, err := llbgen.ParseEpoch(value); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "SOURCE_DATE_EPOCH: ") {
			t.Errorf("%q: the error is %v, want one that says %q", value, err, want)
		}
	}
}
