package registry

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Login are credentials for a registry, or for one repository of it.
type Login struct {
	// Scope is a registry, such as registry.example.com, or a repository with its registry.
	Scope              string
	Username, Password string
}

// Add adds logins, which win over everything else that the keychain knows. Of several for a repository
// the one with the longest scope counts, and where only a registry is asked for, the first. Call Add
// before the keychain is used.
func (k *Keychain) Add(logins ...Login) { k.logins = append(k.logins, logins...) }

// fromLogins looks in the logins that were added.
func (k *Keychain) fromLogins(target authn.Resource) authn.AuthConfig {
	_, isRegistry := target.(name.Registry)
	best := -1
	for i, login := range k.logins {
		scope := normalized(login.Scope)
		of, _, _ := strings.Cut(scope, "/")
		switch {
		case of != target.RegistryStr():
		case isRegistry && best < 0:
			best = i
		case isRegistry:
		case target.String() == scope || scope == of || strings.HasPrefix(target.String(), scope+"/"):
			if best < 0 || len(scope) > len(normalized(k.logins[best].Scope)) {
				best = i
			}
		}
	}
	if best < 0 {
		return authn.AuthConfig{}
	}
	return authn.AuthConfig{Username: k.logins[best].Username, Password: k.logins[best].Password}
}

// normalized returns a scope with the name that a registry has here: Docker Hub has several.
func normalized(scope string) string {
	host, repository, isRepository := strings.Cut(scope, "/")
	if registry, err := name.NewRegistry(host); err == nil {
		host = registry.RegistryStr()
	}
	if host == "docker.io" {
		host = name.DefaultRegistry
	}
	if !isRepository {
		return host
	}
	return host + "/" + repository
}
