package frontend

import (
	"errors"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// BuildKit's own messages about what a user can fix, as of version 0.33.
func TestExplainLayer(t *testing.T) {
	t.Parallel()
	const is, want = "ced5d2b3f5d6d01e6f5c23edc1e907a1e1dd85ededdebff1c060d264eef2d558", "1111111111111111111111111111111111111111111111111111111111111111"
	layer := &llbgen.Layer{Source: "plugin image harness/p:1"}
	for text, explained := range map[string]string{
		"digest mismatch sha256:" + is + ": sha256:" + want:                                          "has the SHA-256 sum " + is + ", expected " + want,
		"digest mismatch for http://x/y: sha256:" + is + " (expected: sha256:" + want + ")":          "has the SHA-256 sum " + is + ", expected " + want,
		`failed to calculate checksum of ref a::b: "/opt/harness/bin/harness-sam-plugin": not found`: "plugin image harness/p:1 has no /opt/harness/bin/harness-sam-plugin, which",
		"lstat /opt/harness/scripts: no such file or directory":                                      "has no /opt/harness/scripts, which",
		"something else": "plugin image harness/p:1: something else",
	} {
		cause := errors.New(text)
		err := explainLayer(layer, cause)
		if !strings.Contains(err.Error(), explained) {
			t.Errorf("%q is explained as %q, want %q in it", text, err, explained)
		}
		if !errors.Is(err, cause) {
			t.Errorf("%q lost its cause", err)
		}
	}
}
