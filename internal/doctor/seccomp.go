package doctor

import _ "embed"

// SeccompProfile is a profile for the container of samforge: Docker's default profile (default.json
// of github.com/moby/profiles/seccomp) for a container without capabilities, and seven calls more,
// the last rule, that a rootless buildkitd needs. clone3 and keyctl fail as on a kernel without
// them, so that their callers do without.
//
// It has only fields of the runtime specification. Docker's further ones, such as includes, are not
// read by containerd, so that under Kubernetes their rules would hold without their conditions:
// https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp
//
//go:embed seccomp.json
var SeccompProfile []byte
