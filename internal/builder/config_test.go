package builder

import (
	"strings"
	"testing"

	resolverconfig "github.com/moby/buildkit/util/resolver/config"
)

// What is configured is added to what a file says.
func TestConfigIsMerged(t *testing.T) {
	t.Parallel()
	yes := true
	c := Config{
		Registries: map[string]resolverconfig.RegistryConfig{
			"docker.io": {Mirrors: []string{"mirror.example.com"}},
			"a:5000":    {Insecure: &yes, KeyPairs: []resolverconfig.TLSKeyPair{{Key: "/k", Certificate: "/c"}}},
		},
		DNS: DNS{Nameservers: []string{"10.0.0.1"}},
	}
	for name, tc := range map[string]struct{ file, want string }{
		"no file": {"", `[dns]
  nameservers = ['10.0.0.1']

[registry]
  [registry.'a:5000']
    insecure = true

    [[registry.'a:5000'.keypair]]
      cert = '/c'
      key = '/k'

  [registry.'docker.io']
    mirrors = ['mirror.example.com']
`},
		"a file": {`debug = true
[worker.oci]
  max-parallelism = 3
  gc = true
  reservedSpace = "10GB"
[registry."docker.io"]
  mirrors = ["before.example.com"]
[registry."a:5000"]
  insecure = false
  ca = ["/ca"]
[dns]
  options = ["ndots:1"]
`, `debug = true

[dns]
  nameservers = ['10.0.0.1']
  options = ['ndots:1']

[registry]
  [registry.'a:5000']
    ca = ['/ca']
    insecure = true

    [[registry.'a:5000'.keypair]]
      cert = '/c'
      key = '/k'

  [registry.'docker.io']
    mirrors = ['mirror.example.com', 'before.example.com']

[worker]
  [worker.oci]
    gc = true
    max-parallelism = 3
    reservedSpace = '10GB'
`},
	} {
		if got, err := c.MergedInto([]byte(tc.file)); err != nil || got != tc.want {
			t.Errorf("%s: got %v\n%s\nwant\n%s", name, err, got, tc.want)
		}
	}
	if text, err := (Config{For: []string{"X"}}).TOML(); text != "" || err != nil {
		t.Errorf("nothing is %q, %v", text, err)
	}
	if _, err := c.MergedInto([]byte("a = ")); err == nil {
		t.Error("a broken file is no error")
	}
}

// A builder that others run stays as it is, and its lines are said.
func TestConfigOfAnotherBuilder(t *testing.T) {
	t.Parallel()
	address := serveFake(t, listen(t, "tcp", "127.0.0.1:0"), 1)
	var told []string
	opt := Options{
		Address: address, Log: func(s string) { told = append(told, s) },
		Config: Config{DNS: DNS{Nameservers: []string{"10.0.0.1"}}, For: []string{"PLUGIN_CUSTOM_DNS"}},
	}
	for range 2 {
		pool, err := FindPool(t.Context(), nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		opt.Config = Config{For: []string{"PLUGIN_CUSTOM_DNS"}} // nothing to say
	}
	opt.Config = Config{DNS: DNS{Nameservers: []string{"10.0.0.1"}}, For: []string{"PLUGIN_CUSTOM_DNS"}}
	opt.warnOfConfig(&Builder{Kind: Docker, Address: "docker://"})
	if last := told[len(told)-1]; len(told) != 2 || !strings.Contains(last, "its daemon.json needs the like") {
		t.Errorf("an engine: %q", last)
	}
	told = told[:1]
	want := "WARNING: PLUGIN_CUSTOM_DNS cannot change the buildkitd at " + address + ", which samforge did not start; its buildkitd.toml needs\n    [dns]\n      nameservers = ['10.0.0.1']"
	if len(told) != 1 || told[0] != want {
		t.Errorf("got %q, want %q", told, want)
	}
}
