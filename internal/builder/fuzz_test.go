package builder

import (
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	resolverconfig "github.com/moby/buildkit/util/resolver/config"
	"github.com/pelletier/go-toml/v2"
)

// FuzzMergedInto: whatever the buildkitd.toml, what is added to it is in the result, which is the
// same when it is added again, or there is a mistake.
func FuzzMergedInto(f *testing.F) {
	for _, seed := range []string{
		"debug = true\n[registry.\"docker.io\"]\n  mirrors = [\"m:5000\"]\n  http = true\n[dns]\n  nameservers = [\"1.1.1.1\"]\n", "registry = 1\n", "dns = [1]\n", "a = ", "",
		"[[registry.\"a\".keypair]]\nkey = \"k\"\n", "[worker.oci]\ngckeepstorage = [1.5, \"a\", 07:32:00]\n", "[registry.'a\"b']\nmirrors = [{}]\n", "[registry.a]\nmirrors = 'x'\n",
	} {
		f.Add([]byte(seed), "registry.example.com:5000", "mirror.example.com/hub", "10.0.0.1")
	}
	f.Fuzz(func(t *testing.T, file []byte, host, mirror, server string) {
		if !utf8.ValidString(host) || !utf8.ValidString(mirror) || !utf8.ValidString(server) {
			t.Skip("TOML has no such texts")
		}
		yes := true
		c := Config{Registries: map[string]resolverconfig.RegistryConfig{host: {Mirrors: []string{mirror}, Insecure: &yes}}, DNS: DNS{Nameservers: []string{server}}}
		text, err := c.MergedInto(file)
		if err != nil {
			var before map[string]any
			if toml.Unmarshal(file, &before) == nil {
				t.Errorf("a file without mistakes is one: %v", err)
			}
			return
		}
		var got Config
		if err := toml.Unmarshal([]byte(text), &got); err != nil {
			return // the file has other types in these sections, which buildkitd says itself
		}
		if of := got.Registries[host]; len(of.Mirrors) == 0 || of.Mirrors[0] != mirror || of.Insecure == nil || !*of.Insecure || len(got.DNS.Nameservers) == 0 || got.DNS.Nameservers[0] != server {
			t.Errorf("%q, %q and %q are not in %s, but %q", host, mirror, server, text, slices.Collect(maps.Keys(got.Registries)))
		}
		if again, err := c.MergedInto([]byte(text)); err != nil || again != text {
			t.Errorf("%s\nbecomes\n%s%v", text, again, err)
		}
	})
}
