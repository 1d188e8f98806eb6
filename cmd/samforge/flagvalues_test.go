package main

import (
	"strings"
	"testing"
)

func TestCertificatesAreForTCP(t *testing.T) {
	t.Setenv("BUILDKIT_HOST", "")
	const refused = "is for a tcp builder, and unix:///nope.sock is none: leave it out"
	for line, want := range map[string]bool{
		"--tlsdir /nope --builder unix:///nope.sock":                        true,
		"--tlscert /nope --builder unix:///nope.sock":                       true,
		"--tlsdir /nope --builder unix:///nope.sock --builder tcp://nope:1": false,
		"--builder unix:///nope.sock":                                       false,
	} {
		_, err := execute(append([]string{"build", t.TempDir()}, strings.Fields(line)...)...)
		if got := err != nil && strings.Contains(err.Error(), refused); got != want || want && codeOf(err) != exitInput {
			t.Errorf("samforge build %s: %v", line, err)
		}
	}
}
