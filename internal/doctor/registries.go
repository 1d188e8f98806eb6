package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/samforge/samforge/internal/registry"
)

// Registry asks registries. A [registry.Client] does.
type Registry interface {
	// Login returns the user that the credentials for a repository name, or "" without
	// credentials, after the registry has accepted the login.
	Login(ctx context.Context, repository string) (user string, err error)
	// MayPush returns an error if an image cannot be pushed to a repository.
	MayPush(ctx context.Context, repository string) error
	// Mounts reports whether layers of the image at from can be mounted in the repository of to, if
	// that can be known without writing anything.
	Mounts(ctx context.Context, from, to string) (mounts, known bool, err error)
}

// checkRegistry checks the login to a registry, and for the name of an image also that it can be
// pushed, and has layers mounted from another image if one is given.
func checkRegistry(ctx context.Context, client Registry, target, mountFrom string) []Finding {
	check, host, isImage := "registry "+target, target, strings.Contains(target, "/")
	if isImage {
		host, _, _ = strings.Cut(registry.Repository(target), "/")
	}
	user, err := client.Login(ctx, target)
	if err != nil {
		return []Finding{{check, Problem, err.Error(), remediesFor(err, host)}}
	}
	login := ok(check, "it accepts the credentials of "+user)
	if user == "" {
		login = Finding{check, Warning, "there are no credentials for it: it is used without a login", loginRemedies(host)}
	}
	if !isImage {
		return []Finding{login}
	}
	push := ok(check, "images can be pushed")
	if err := client.MayPush(ctx, target); err != nil {
		push = Finding{check, Problem, "images cannot be pushed: " + err.Error(), remediesFor(err, host)}
	}
	if push.Level == OK && mountFrom != "" {
		return []Finding{login, push, checkMounts(ctx, client, mountFrom, target)}
	}
	return []Finding{login, push}
}

// remediesFor returns what mends the error of a registry. A login does not if nothing answers.
func remediesFor(err error, host string) []Remedy {
	var dns *net.DNSError
	var dial *net.OpError
	if !errors.As(err, &dns) && !errors.As(err, &dial) {
		return loginRemedies(host)
	}
	return []Remedy{
		{"anywhere", "check the name " + host + ", that it runs, and that this machine reaches it: a name server that knows it, a firewall, HTTPS_PROXY where only a proxy gets out"},
	}
}

// checkMounts checks whether the layers of a base image are mounted in the repository of an image.
// Where they are not, each builder that does not have them downloads them and sends them again.
func checkMounts(ctx context.Context, client Registry, from, to string) Finding {
	check := "layers of " + from
	mounts, known, err := client.Mounts(ctx, from, to)
	detail := fmt.Sprintf("the registry does not mount them in %s, so a builder downloads and sends them", registry.Repository(to))
	switch {
	case err != nil && registry.Denied(err):
		detail = fmt.Sprintf("the credentials for %s may not read that repository, so they cannot be mounted: %v", registry.Repository(to), err)
	case err != nil:
		return Finding{check, Warning, "whether they can be mounted cannot be said: " + err.Error(), []Remedy{
			{"anywhere", "--mount-from an image of the same registry"},
		}}
	case !known:
		return ok(check, fmt.Sprintf("none of them is in %s yet, and asking for one would put it there: check again after the first push", registry.Repository(to)))
	case mounts:
		return ok(check, "the registry mounts them in "+registry.Repository(to)+", so they are not sent")
	}
	return Finding{check, Warning, detail, []Remedy{
		{"Amazon ECR", "aws ecr put-account-setting --name BLOB_MOUNTING --value ENABLED; ecr:GetDownloadUrlForLayer on the repository of the base image; the same encryption for both repositories"},
		{"anywhere", "credentials that may read both repositories; or push the base image to the repository of the image once, under a tag of its own"},
	}}
}

// Settings is the finding for the settings of a Build and Push step. err is nil if they are right.
func Settings(err error) Finding {
	const check = "the step's settings"
	if err == nil {
		return ok(check, "they are right; the registry of PLUGIN_REPO is asked with their credentials")
	}
	return Finding{Check: check, Level: Problem, Detail: err.Error(), Remedies: []Remedy{{"anywhere", "docs/step-settings.md lists the settings"}}}
}

// Defaults is the finding for a mistake in a file with defaults, which stops every build.
func Defaults(err error) Finding {
	return Finding{Check: "defaults", Level: Problem, Detail: err.Error(), Remedies: []Remedy{{"anywhere", "mend that line: docs/environment.md lists the keys"}}}
}

func loginRemedies(host string) []Remedy {
	return []Remedy{
		{"host", "docker login " + host},
		{dockerRun, "--env DOCKER_AUTH_CONFIG, where that variable is {\"auths\": {\"" + host + "\": {\"auth\": \"BASE64 OF USER:PASSWORD\"}}}"},
		{kubernetes, fmt.Sprintf("# kubectl create secret docker-registry push --docker-server=%s --docker-username=USER --docker-password=PASSWORD\nvolumes:\n- name: docker\n  secret: {secretName: push, items: [{key: .dockerconfigjson, path: config.json}]}\ncontainers:\n- volumeMounts:\n  - {name: docker, mountPath: /home/samforge/.docker}", host)},
		{gitLab, "the variable DOCKER_AUTH_CONFIG of the project, masked"},
	}
}
