package ci

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/samforge/samforge/internal/build"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry/awsfake"
)

// The repositories of the image and of its caches are created, and only the image's gets the policies.
func TestCreateRepositories(t *testing.T) {
	fake := &awsfake.Server{}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)
	t.Setenv("HOME", t.TempDir())
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"Statement": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const host = awsfake.Account + ".dkr.ecr.eu-west-1.amazonaws.com"
	s, _, err := Read([]string{
		"PLUGIN_REGISTRY=" + host, "PLUGIN_REPO=team/app", "PLUGIN_CREATE_REPOSITORY=true", "PLUGIN_SCAN_ON_PUSH=true", "PLUGIN_REPOSITORY_POLICY=" + policy,
		"PLUGIN_ACCESS_KEY=AKIAEXAMPLE", "PLUGIN_SECRET_KEY=secret", "PLUGIN_ENABLE_CACHE=true", "PLUGIN_CACHE_REPO=team/cache", "PLUGIN_CACHE_TO=type=registry,ref=" + host + "/team/max,mode=max;type=inline",
	})
	if err != nil {
		t.Fatal(err)
	}
	baked := project.Settings{CacheTo: []string{"type=registry,ref=" + host + "/team/baked"}}
	images := []project.Dockerfile{{Refs: []string{host + "/team/app:1"}, Own: baked}}
	_, caches, err := s.caches()
	if err != nil {
		t.Fatal(err)
	}
	prepare := s.preparation(images, Options{Stderr: io.Discard})
	if err := prepare(t.Context(), nil, build.RegistryCaches(append(caches, baked.CacheTo...))); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, call := range fake.Calls() {
		if call.Action == "ecr:CreateRepository" {
			names = append(names, call.Input["repositoryName"].(string))
		}
	}
	if want := []string{"team/app", "team/max", "team/cache", "team/baked"}; !slices.Equal(names, want) || fake.Policy("team/app") == "" || fake.Policy("team/max") != "" {
		t.Errorf("created %q, want %q; the requests are %q", names, want, fake.Actions())
	}
	if got := fake.Repository("team/app")["imageScanningConfiguration"]; !reflect.DeepEqual(got, map[string]any{"scanOnPush": true}) {
		t.Errorf("the repository scans: %v", got)
	}
}
