package builder

import (
	"errors"
	"strings"
	"testing"
)

func TestStartHintsNameTheSetting(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]string{
		"[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: operation not permitted":                              "seccomp",
		"newuidmap 42 0 1000 1 1 100000 65536 failed: newuidmap: write to uid_map failed: Operation not permitted":                              "allowPrivilegeEscalation: true",
		"[rootlesskit:parent] error: failed to setup UID/GID map: failed to compute uid/gid map: user: unknown userid 1000680000":               "no entry in /etc/passwd",
		"[rootlesskit:parent] error: failed to setup UID/GID map: newuidmap 30 [0 54321 1] failed: newuidmap: Cannot determine your user name.": "no entry in /etc/passwd",
		"[rootlesskit:parent] error: failed to setup UID/GID map: failed to compute uid/gid map: no subuid ranges found for user 1000 (a)":      "/etc/subuid",
		"[rootlesskit:parent] error: failed to start the child: fork/exec /proc/self/exe: no space left on device":                              "user.max_user_namespaces",
		"[rootlesskit:child ] error: failed to share mount point: /: permission denied":                                                         "kernel.apparmor_restrict_unprivileged_userns=0",
		"start in a user namespace with one id: fork/exec /bin/buildkitd: operation not permitted":                                              "seccomp",
		"start in a user namespace with one id: fork/exec /bin/buildkitd: no space left on device":                                              "user.max_user_namespaces",
		"start in a user namespace with one id: fork/exec /bin/buildkitd: exec format error":                                                    "",
		"buildkitd: overlay is not for you": "",
	} {
		if got := startHint(log); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", log, got, want)
		}
	}
}

func TestMakeRoomIsTrueOfTheBuilder(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]*Builder{
		"`buildctl prune`":                           nil,
		"`docker builder prune`":                     {Kind: Docker},
		"`buildctl --addr tcp://builder:1234 prune`": {Kind: Remote, Address: "tcp://builder:1234"},
	} {
		if got := b.MakeRoom(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestConnectHintsNameTheCause(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ address, err, want string }{
		{"tcp://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused", "(nothing listens at this address; start a buildkitd there, or name another builder with --builder or BUILDKIT_HOST"},
		{"unix:///nope.sock", "dial unix /nope.sock: connect: no such file or directory", "(there is no such socket; "},
		{"unix:///root.sock", "dial unix /root.sock: connect: permission denied", "--group"},
		{"tcp://registry:5000", "http2: failed reading the frame payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header", "such as a registry: check the port"},
		{"docker://", "dial unix /docker.sock: connect: no such file or directory", "; start Docker, or name another"},
		{"ssh://b", "something new", "(start a buildkitd there"},
	} {
		if got := connectHint(tc.address, errors.New(tc.err)); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s has no %q", tc.err, got, tc.want)
		}
	}
	if got := connectHint("private://", errors.New("permission denied")); got != "" {
		t.Errorf("a private buildkitd has its own: %s", got)
	}
}
