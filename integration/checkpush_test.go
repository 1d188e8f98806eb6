package integration

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Who may not push learns it before anything is built: no builder is asked for an image.
func TestCheckPush(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]testenv.RegistryOptions{
		"401 with a token server": {TokenAuth: true},
		"403 as at Amazon ECR":    {BasicAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options.Users = map[string]testenv.Account{"reader": {Password: "canary-of-the-reader"}}
			b := newBed(t, testenv.Options{Registry: options})
			dir := checkout(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
			settings := []string{"PLUGIN_REGISTRY=" + b.Registry.Addr, "PLUGIN_REPO=team/app", "PLUGIN_TAGS=1,2", "PLUGIN_USERNAME=reader", "PLUGIN_PASSWORD=canary-of-the-reader"}
			r := b.step(dir, settings...)
			if r.code != 1 || !strings.Contains(r.stderr, "nothing was built, because the push would fail: ") || strings.Contains(r.stderr, "load build definition") {
				t.Errorf("the step ends with %d and says\n%s", r.code, r.stderr)
			}
		})
	}
}
