package doctor

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/rootless"
)

// The places that remedies are for, and lines that several of them have.
const (
	dockerRun  = "docker run"
	kubernetes = "Kubernetes"
	gitLab     = "GitLab Runner"
	host       = "host"

	// The file comes from `samforge doctor --seccomp-profile`.
	dockerProfile      = "--security-opt seccomp=seccomp.json --security-opt apparmor=unconfined # samforge doctor --seccomp-profile > seccomp.json"
	kubernetesProfile  = "seccompProfile: {type: Localhost, localhostProfile: samforge.json} # samforge doctor --seccomp-profile > /var/lib/kubelet/seccomp/samforge.json on the nodes; or {type: Unconfined}"
	appArmorUnconfined = "appArmorProfile: {type: Unconfined}"
	gitLabUnconfined   = "[runners.docker]\n  security_opt = [\"seccomp:unconfined\", \"apparmor:unconfined\"]"
)

// securityContext returns the YAML of a container's securityContext.
func securityContext(fields ...string) string {
	return "securityContext:\n  " + strings.Join(fields, "\n  ")
}

// namespaces checks whether a user without root may make a user namespace and mount in it: see
// user_namespaces(7), the kernel's sysctl/user.rst, and Ubuntu's and Debian's own settings.
func (m Machine) namespaces() Finding {
	const check = "user namespaces"
	err := m.TryNamespace()
	problem := func(detail string, remedies ...Remedy) Finding {
		return Finding{check, Problem, fmt.Sprintf("%s (%v)", detail, err), remedies}
	}
	confined := []Remedy{
		{dockerRun, dockerProfile},
		{kubernetes, securityContext(kubernetesProfile, appArmorUnconfined)},
		{gitLab, gitLabUnconfined},
	}
	appArmor := Remedy{host, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}
	switch restricted := m.sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1"; {
	case err == nil:
		return ok(check, "a user namespace can be made, and can mount")
	case m.sysctl("user/max_user_namespaces") == "0" || errors.Is(err, syscall.ENOSPC):
		return problem("the limit of user namespaces is "+m.sysctl("user/max_user_namespaces")+", and it is reached",
			Remedy{host, "sysctl -w user.max_user_namespaces=28633"})
	case m.sysctl("kernel/unprivileged_userns_clone") == "0":
		return problem("the kernel allows user namespaces to root only",
			Remedy{host, "sysctl -w kernel.unprivileged_userns_clone=1"})
	case errors.Is(err, builder.ErrNoMounts) && restricted:
		return problem("AppArmor takes the privileges from user namespaces of users without root", append(confined, appArmor)...)
	case errors.Is(err, builder.ErrNoMounts):
		return problem(fmt.Sprintf("a user namespace may not mount: a seccomp filter or the AppArmor profile %s refuses it", m.profile()), confined...)
	case m.Status().Seccomp:
		return problem("the seccomp filter of the container refuses unshare and clone with a new user namespace", confined...)
	case restricted:
		return problem("AppArmor refuses user namespaces to users without root", append(confined, appArmor)...)
	}
	return problem("a user namespace cannot be made", confined...)
}

// sysctl returns the value of a kernel setting, or "" if this kernel does not have it.
func (m Machine) sysctl(name string) string {
	text, _ := m.ReadFile("/proc/sys/" + name)
	return strings.TrimSpace(string(text))
}

// profile returns the name of the AppArmor profile that confines this process.
func (m Machine) profile() string {
	text, err := m.ReadFile("/proc/self/attr/current")
	if err != nil {
		return "of the container"
	}
	return strings.TrimRight(string(text), "\x00\n")
}

// ids explains why a user namespace has only one id.
func ids(reason *rootless.Reason, uid int) Finding {
	const check = "user ids"
	if reason == nil {
		return ok(check, "newuidmap can map the user's subordinate ids")
	}
	return Finding{
		Check: check, Level: Warning,
		Detail:   reason.Sentence + ": the buildkitd has one id. Steps can run only as root, and only images whose files are root's can be unpacked",
		Remedies: idRemedies(reason.Cause, uid),
	}
}

func idRemedies(cause rootless.Cause, uid int) []Remedy {
	switch cause {
	case rootless.NoEscalation:
		return []Remedy{
			{dockerRun, "leave out --security-opt no-new-privileges"},
			{kubernetes, securityContext("allowPrivilegeEscalation: true")},
			{gitLab, "[runners.docker]\n  security_opt = [] # without no-new-privileges\n[runners.kubernetes]\n  allow_privilege_escalation = true"},
			{host, "leave out NoNewPrivileges= of the service and setpriv --no-new-privs"},
		}
	case rootless.NoCapability:
		return []Remedy{
			{dockerRun, "--cap-drop ALL --cap-add SETUID --cap-add SETGID"},
			{kubernetes, securityContext("capabilities: {drop: [ALL], add: [SETUID, SETGID]}")},
			{gitLab, "[runners.docker]\n  cap_add = [\"SETUID\", \"SETGID\"]"},
		}
	case rootless.NoUser:
		return []Remedy{
			{dockerRun, "--user 1000:1000, the user of the image of samforge"},
			{kubernetes, securityContext("runAsUser: 1000", "runAsGroup: 1000")},
			{host, fmt.Sprintf("useradd --uid %d ci && usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ci", uid)},
		}
	case rootless.NoRange:
		return []Remedy{{host, fmt.Sprintf("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$(id -un %d)\"", uid)}}
	case rootless.NotMapped:
		return []Remedy{
			{dockerRun, "--userns host"},
			{kubernetes, "hostUsers: true # of the pod; or, with hostUsers: false, root of its namespace:\n" + securityContext("runAsUser: 0", "capabilities: {add: [SYS_ADMIN]}")},
			{"an image of your own", "RUN echo samforge:1001:64535 | tee /etc/subuid >/etc/subgid # as root; ids that the namespace has"},
		}
	case rootless.NoHelpers:
		return []Remedy{{host, "apt-get install uidmap rootlesskit (shadow-utils on Fedora has newuidmap), or put rootlesskit beside samforge"}}
	}
	return []Remedy{{host, "setcap cap_setuid=ep \"$(command -v newuidmap)\" && setcap cap_setgid=ep \"$(command -v newgidmap)\""}}
}
