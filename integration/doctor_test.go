package integration

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// In the environment of a Build and Push step, doctor asks the registry of PLUGIN_REPO with the
// step's credentials, and whether layers of its base image are mounted with them.
func TestDoctorOfAStep(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{Registry: testenv.RegistryOptions{
		TokenAuth: true,
		Users: map[string]testenv.Account{
			"both":   {Password: "canary-of-both", Push: true},
			"pusher": {Password: "canary-of-the-pusher", Push: true, Only: "team/"},
			"puller": {Password: "canary-of-the-puller", Only: "base/"},
		},
	}})
	program, err := testenv.Executable(t.Context(), "app", "amd64", "1.0.0")
	must(t, err)
	image, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{{Files: []testenv.File{{Path: "/app", Data: program, Mode: 0o755}}}}})
	must(t, err)
	base := b.Registry.Addr + "/base/tools:1"
	b.push(base, image)
	b.push(b.Registry.Addr+"/team/app:1", image)
	asBoth := []string{"PLUGIN_USERNAME=both", "PLUGIN_PASSWORD=canary-of-both"}
	for name, tc := range map[string]struct {
		settings []string
		code     int
		want     []string
	}{
		"one account for both": {append(asBoth, "PLUGIN_REPO=team/app"), 0, []string{
			"ok       the step's settings", "ok       registry " + b.Registry.Addr + "/team/app:latest: it accepts the credentials of both",
			"images can be pushed", "ok       layers of " + base + ": the registry mounts them in " + b.Registry.Addr + "/team/app",
		}},
		"a new repository": {append(asBoth, "PLUGIN_REPO=team/new"), 0, []string{"none of them is in " + b.Registry.Addr + "/team/new yet"}},
		"two accounts": {[]string{
			"PLUGIN_REPO=team/app", "PLUGIN_USERNAME=pusher", "PLUGIN_PASSWORD=canary-of-the-pusher",
			"PLUGIN_BASE_IMAGE_REGISTRY=" + b.Registry.Addr, "PLUGIN_BASE_IMAGE_USERNAME=puller", "PLUGIN_BASE_IMAGE_PASSWORD=canary-of-the-puller",
		}, 0, []string{"warning  layers of " + base + ": the credentials for " + b.Registry.Addr + "/team/app may not read that repository"}},
		"a wrong password": {[]string{"PLUGIN_REPO=team/app", "PLUGIN_USERNAME=both", "PLUGIN_PASSWORD=canary"}, 1, []string{
			"problem  registry " + b.Registry.Addr + "/team/app:latest: " + b.Registry.Addr + " does not accept the credentials of both",
		}},
		"half a login":          {[]string{"PLUGIN_REPO=team/app", "PLUGIN_USERNAME=both"}, 1, []string{"problem  the step's settings: PLUGIN_USERNAME and PLUGIN_PASSWORD belong together"}},
		"no file of Harness":    {append(asBoth, "PLUGIN_REPO=team/app", "HARNESS_CA_PATH=/none.pem"), 1, []string{"problem  certificate authorities: HARNESS_CA_PATH cannot be read"}},
		"a builder that is off": {append(asBoth, "PLUGIN_REPO=team/app", "BUILDKIT_HOST=", "PLUGIN_BUILDER_REMOTE_CONN=tcp://127.0.0.1:1"), 1, []string{"problem  builder: connect to the builder tcp://127.0.0.1:1"}},
	} {
		r := b.stepBy(t.TempDir(), []string{samforgeBinary, "doctor", "--mount-from", base}, append(tc.settings, "PLUGIN_REGISTRY="+b.Registry.Addr)...)
		if r.code != tc.code || strings.Contains(r.stdout+r.stderr, "canary") {
			t.Errorf("%s: exit code %d, want %d, and no password:\n%s\n%s", name, r.code, tc.code, r.stdout, r.stderr)
		}
		for _, want := range tc.want {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: %q is not in\n%s\n%s", name, want, r.stdout, r.stderr)
			}
		}
	}
}
