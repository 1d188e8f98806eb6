package builder

import "testing"

// The file that a private buildkitd would read by itself.
func TestDefaultConfig(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"/etc/buildkit/buildkitd.toml":             {"USER": "root", "HOME": "/root"},
		"/config/buildkit/buildkitd.toml":          {"USER": "me", "HOME": "/home/me", "XDG_CONFIG_HOME": "/config"},
		"/home/me/.config/buildkit/buildkitd.toml": {"USER": "me", "HOME": "/home/me"},
	} {
		opt := Options{Env: environment(env)}
		if got := opt.defaultConfig(tools{rootless: true}); got != want {
			t.Errorf("%v: got %s, want %s", env, got, want)
		}
	}
}
