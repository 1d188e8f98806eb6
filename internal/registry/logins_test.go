package registry

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func TestLogins(t *testing.T) {
	noCredentials(t)
	k := NewKeychain(nil, AWS{})
	k.Add(
		Login{"registry.example.com/ci/app", "pusher", "a"},
		Login{"registry.example.com", "puller", "b"},
		Login{"docker.io", "hub", "c"},
	)
	for target, want := range map[string]string{
		"registry.example.com/ci/app":       "pusher",
		"registry.example.com/ci/app/cache": "pusher",
		"registry.example.com/ci/apple":     "puller",
		"registry.example.com":              "pusher",
		"other.example.com/ci/app":          "",
		"library/alpine":                    "hub",
	} {
		var resource authn.Resource
		repo, err := name.NewRepository(target)
		resource = repo
		if target == "registry.example.com" {
			resource, err = name.NewRegistry(target)
		}
		if err != nil {
			t.Fatal(err)
		}
		found, err := k.ResolveContext(t.Context(), resource)
		if err != nil {
			t.Fatal(err)
		}
		got, err := found.Authorization()
		if err != nil || got.Username != want {
			t.Errorf("%s: got %q, %v, want %q", target, got.Username, err, want)
		}
	}
}
