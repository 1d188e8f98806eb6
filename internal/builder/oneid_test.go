package builder

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/rootless"
)

func TestOwnersAreExplained(t *testing.T) {
	t.Parallel()
	b := &Builder{oneID: &rootless.Reason{Cause: rootless.NoEscalation, Sentence: "privileges must not escalate here"}}
	for text, want := range map[string]string{
		`failed to Lchown "/etc/shadow" for UID 0, GID 42: lchown /etc/shadow: invalid argument`:                                                                  "the image has the file /etc/shadow of UID 0, GID 42, and privileges must not escalate here",
		`failed to Lchown "/tmp/containerd-mount123/etc/shadow" for UID 0, GID 42: lchown /tmp/containerd-mount123/etc/shadow: invalid argument`:                  "the image has the file /etc/shadow of UID 0, GID 42",
		`failed to copy file info: failed to chown /c/buildkitd/runc-overlayfs/snapshots/snapshots/12/fs/hello: lchown /hello: invalid argument`:                  "the step gives the file /hello to a user or a group other than root",
		"process \"/hello\" did not complete successfully: exit code: 1\nrunc run failed: error during container init: unable to setup user: chown /dev/stdin: x": "the step runs as a user other than root",
		"process \"/hello\" did not complete successfully: exit code: 1":                                                                                          "",
	} {
		if got := b.ExplainOwners(text); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestOwnersAreOnlyExplainedWhereThereIsOneID(t *testing.T) {
	t.Parallel()
	for _, b := range []*Builder{nil, {Kind: Remote}} {
		if got := b.ExplainOwners(`failed to Lchown "/etc/shadow" for UID 0, GID 42`); got != "" {
			t.Errorf("got %q", got)
		}
	}
}
