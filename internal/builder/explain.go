package builder

import (
	"context"
	"errors"
	"strings"
)

// startHints say what to do about a private buildkitd that does not start, by the words in its log.
var startHints = []struct{ words, remedy string }{
	{"fork/exec /proc/self/exe: operation not permitted", noNamespaces},
	{"fork/exec /proc/self/exe: no space left on device", noneLeft},
	{"failed to share mount point", noMounts}, // rootlesskit's words, see docs.docker.com/engine/security/rootless
	{"write to uid_map failed", "newuidmap may not map the ids of /etc/subuid here, as with no-new-privileges, or in a user namespace that does not have them (Kubernetes: set allowPrivilegeEscalation: true and hostUsers: true; `samforge doctor` says which it is), or name a buildkitd with --builder"},
	{"unknown userid ", noPasswdEntry},
	{"Cannot determine your user name", noPasswdEntry}, // newuidmap's words
	{"no subuid ranges found", "the user has no range in /etc/subuid and /etc/subgid: add one (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER), or name a buildkitd with --builder"},
}

const (
	noNamespaces = "user namespaces are forbidden here, as by the default seccomp profile of a container: allow them (Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined; Kubernetes: seccompProfile and appArmorProfile of type Unconfined; host: sysctl kernel.unprivileged_userns_clone=1; `samforge doctor` has the lines, and a narrower profile than unconfined), or name a buildkitd with --builder"
	noneLeft     = "the limit of user namespaces is reached: raise it on the host (sysctl user.max_user_namespaces=28633), or name a buildkitd with --builder"
	noMounts     = "the user namespace may not mount anything, as where AppArmor restricts it: allow it (Docker: --security-opt apparmor=unconfined; Kubernetes: appArmorProfile of type Unconfined; host: sysctl kernel.apparmor_restrict_unprivileged_userns=0), or name a buildkitd with --builder"
)

const noPasswdEntry = "the user has no entry in /etc/passwd, and rootlesskit looks up subordinate ids by that entry: run as a user who has one, and a range in /etc/subuid and /etc/subgid, or name a buildkitd with --builder"

// startHint returns the remedy for a start that ended with this log, or "" if none is known.
func startHint(log string) string {
	if _, failed, ok := strings.Cut(log, startingInNamespace); ok {
		switch {
		case strings.Contains(failed, "operation not permitted"):
			return noNamespaces
		case strings.Contains(failed, "no space left on device"):
			return noneLeft
		}
	}
	for _, hint := range startHints {
		if strings.Contains(log, hint.words) {
			return hint.remedy
		}
	}
	return ""
}

// connectHints say what is wrong with the address of a builder, by the words of the error.
var connectHints = []struct{ words, cause string }{
	{"connection refused", "nothing listens at this address"},
	{"no such file or directory", "there is no such socket"},
	{"permission denied", "your user may not use this socket: start buildkitd with --group and a group that you are in (for Docker, the group docker)"},
	{"no such host", "no name server knows this host"},
	{"frame too large", notBuildKit},
	{"looked like an HTTP/1.1 header", notBuildKit},
	{"does not look like a TLS handshake", "it speaks without TLS, or is no buildkitd: leave out --tlsdir and --tlscacert, or check the port"},
	{"no answer within", "it may be no buildkitd, or want TLS: check the port, and --tlsdir"},
	{"it closed the connection", "it may be no buildkitd, or want TLS: check the port, and --tlsdir"},
}

const notBuildKit = "what listens there is no buildkitd, but a web server, such as a registry: check the port"

// connectHint ends the sentence about a builder that the user named and that does not answer, with
// the cause and the remedy. It is empty for a buildkitd that samforge starts, whose errors have one.
func connectHint(address string, err error) string {
	if strings.HasPrefix(address, "private:") || errors.Is(err, context.Canceled) {
		return ""
	}
	cause := ""
	for _, hint := range connectHints {
		if strings.Contains(err.Error(), hint.words) {
			cause = hint.cause + "; "
			break
		}
	}
	start := "start a buildkitd there"
	if strings.HasPrefix(address, "docker:") {
		start = "start Docker"
	}
	return " (" + cause + start + ", or name another builder with --builder or BUILDKIT_HOST; without them samforge looks for one)"
}

// MakeRoom says how to make room on the builder's disk.
func (b *Builder) MakeRoom() string {
	switch {
	case b == nil:
		return "`buildctl prune`"
	case b.Kind == Docker:
		return "`docker builder prune`"
	case b.Kind == Private:
		return "removing the folder of its state, " + b.daemon.stateDir() + ", while no samforge runs"
	}
	return "`buildctl --addr " + b.Address + " prune`"
}
