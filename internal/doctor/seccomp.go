package doctor

import _ "embed"

// SeccompProfile is a profile for the container of samforge, in the form that Docker and Kubernetes
// read. It is Docker's default profile (default.json of github.com/moby/profiles/seccomp v0.2.4)
// and one rule more, the last, for what a rootless buildkitd needs.
//
//go:embed seccomp.json
var SeccompProfile []byte
