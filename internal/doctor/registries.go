package doctor

import (
	"context"
	"fmt"
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
}

// checkRegistry checks the login to a registry, and for the name of an image also that it can be
// pushed.
func checkRegistry(ctx context.Context, client Registry, target string) []Finding {
	check, host, isImage := "registry "+target, target, strings.Contains(target, "/")
	if isImage {
		host, _, _ = strings.Cut(registry.Repository(target), "/")
	}
	user, err := client.Login(ctx, target)
	if err != nil {
		return []Finding{{check, Problem, err.Error(), loginRemedies(host)}}
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
		push = Finding{check, Problem, "images cannot be pushed: " + err.Error(), loginRemedies(host)}
	}
	return []Finding{login, push}
}

func loginRemedies(host string) []Remedy {
	return []Remedy{
		{"host", "docker login " + host},
		{dockerRun, "--env DOCKER_AUTH_CONFIG, where that variable is {\"auths\": {\"" + host + "\": {\"auth\": \"BASE64 OF USER:PASSWORD\"}}}"},
		{kubernetes, fmt.Sprintf("# kubectl create secret docker-registry push --docker-server=%s --docker-username=USER --docker-password=PASSWORD\nvolumes:\n- name: docker\n  secret: {secretName: push, items: [{key: .dockerconfigjson, path: config.json}]}\ncontainers:\n- volumeMounts:\n  - {name: docker, mountPath: /home/samforge/.docker}", host)},
		{gitLab, "the variable DOCKER_AUTH_CONFIG of the project, masked"},
	}
}
