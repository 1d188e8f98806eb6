package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/rootless"
)

// builders says which builder a build would use.
func (m Machine) builders(ctx context.Context, survey *builder.Survey, err error) []Finding {
	const check = "builder"
	if err != nil {
		return []Finding{{check, Problem, err.Error(), []Remedy{
			{"anywhere", "samforge build --builder unix:///run/buildkit/buildkitd.sock, or unset BUILDKIT_HOST so that samforge looks for one"},
		}}}
	}
	if b := survey.Builder; b != nil && b.OlderStore() {
		return []Finding{olderStore(fmt.Sprintf("%s%s would build", b, versionOf(b)))}
	} else if b != nil {
		return []Finding{ok(check, fmt.Sprintf("%s%s would build, so this machine needs no user namespaces", b, versionOf(b)))}
	}
	private := survey.Private
	if private.Err != nil {
		return []Finding{{check, Problem, "no builder answers, and none can be started: " + private.Err.Error() + tried(survey.Tried), []Remedy{
			{"docker run", "use the image of samforge, which has buildkitd, runc and rootlesskit in it"},
			{"host", "put buildkitd, runc and rootlesskit beside samforge or on PATH"},
			{"anywhere", "--builder ADDRESS or BUILDKIT_HOST=ADDRESS of a buildkitd elsewhere"},
		}}}
	}
	how := "without root"
	if private.Root {
		how = "as root"
	}
	detail := fmt.Sprintf("samforge would start a private buildkitd %s: %s (%s)", how, private.Buildkitd, m.Version(ctx, private.Buildkitd))
	findings := []Finding{ok(check, detail+tried(survey.Tried))}
	if private.Runc == "" {
		return append(findings, Finding{"runc", Warning, "runc is neither beside samforge nor on PATH: SAM images can be built, and nothing that runs a step", []Remedy{
			{"host", "apt-get install runc, or put it beside samforge"},
		}})
	}
	return append(findings, ok("runc", fmt.Sprintf("%s (%s)", private.Runc, m.Version(ctx, private.Runc))))
}

// olderStore warns of a Docker engine that keeps images in the store from before containerd's.
func olderStore(would string) Finding {
	return Finding{"builder", Warning, would + ": it has Docker's older image store, which gives images a different digest than every other builder, unpacks their bases, and builds one platform at a time", []Remedy{
		{"host", "Docker 24 or newer with {\"features\": {\"containerd-snapshotter\": true}} in /etc/docker/daemon.json, and a restart of Docker"},
		{"anywhere", "--builder ADDRESS or BUILDKIT_HOST=ADDRESS of a buildkitd"},
	}}
}

func versionOf(b *builder.Builder) string {
	if version := b.Workers[0].BuildkitVersion.Version; version != "" {
		return " (BuildKit " + version + ")"
	}
	return ""
}

// tried lists the builders that did not answer.
func tried(attempts []builder.Attempt) string {
	var text strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&text, "\nnot used: %s: %s", a.What, strings.ReplaceAll(a.Err.Error(), "\n", "\n  "))
	}
	return text.String()
}

// private checks what the buildkitd that samforge would start needs.
func (m Machine) private(p *builder.PrivateSurvey) []Finding {
	var findings []Finding
	if p.Root {
		findings = append(findings, m.root())
	} else {
		findings = append(findings, m.namespaces(), ids(p.OneID, m.UID))
	}
	mounts := !InTheWay(findings)
	findings = append(findings, m.disk(p.CacheDir)...)
	if mounts && !InTheWay(findings) {
		findings = append(findings, m.snapshots(p.CacheDir))
	}
	return append(findings, m.temporary())
}

// root checks the privileges of a buildkitd that runs as root.
func (m Machine) root() Finding {
	const check = "privileges"
	if m.Status().Effective.Has(rootless.CapSysAdmin) {
		return ok(check, "root may mount (CAP_SYS_ADMIN)")
	}
	return Finding{check, Problem, "root may not mount here: the container has no CAP_SYS_ADMIN. Run as a normal user instead, in a user namespace", []Remedy{
		{dockerRun, "--user 1000:1000 " + dockerProfile},
		{kubernetes, securityContext("runAsUser: 1000", "runAsGroup: 1000", kubernetesProfile, appArmorUnconfined)},
		{gitLab, gitLabUnconfined},
	}}
}
