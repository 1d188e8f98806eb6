package inputs

import (
	"slices"
	"testing"
)

func TestRegistries(t *testing.T) {
	t.Parallel()
	const dockerfile = `ARG HOST=one.example.com
ARG BASE=${HOST}/base
FROM ${BASE}:1 AS build
FROM --platform=$BUILDPLATFORM $OTHER/tools AS tools
FROM scratch
COPY --from=build /a /a
COPY --from=three.example.com:5000/files /b /b
`
	for name, c := range map[string]struct {
		dockerfile string
		args       map[string]string
		want       []string
	}{
		"defaults of arguments": {dockerfile, map[string]string{"OTHER": "two.example.com"}, []string{"docker.io", "one.example.com", "three.example.com:5000", "two.example.com"}},
		"given arguments":       {"ARG HOST=one.example.com\nFROM $HOST/a\n", map[string]string{"HOST": "two.example.com"}, []string{"two.example.com"}},
		"a mistake":             {"FRM a\n", nil, nil},
	} {
		if got := Registries([]byte(c.dockerfile), c.args); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
