package ci

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	resolverconfig "github.com/moby/buildkit/util/resolver/config"
	"github.com/pelletier/go-toml/v2"

	"github.com/samforge/samforge/integration/testenv"
	"github.com/samforge/samforge/internal/project"
)

// writePEM writes an authority, and a certificate that it signed with its key, and returns their
// paths.
func writePEM(t *testing.T) (authority, certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	files, err := testenv.ClientCertificate()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.pem": files.Authority, "cert.pem": files.Certificate, "key.pem": files.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

// What each setting adds to the configuration of a builder.
func TestConfig(t *testing.T) {
	t.Parallel()
	authority, certificate, key := writePEM(t)
	const dockerfile = "FROM base.example.com/a AS a\nFROM node\nCOPY --from=files.example.com/b / /\n"
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"nothing":                       {nil, ""},
		"mirrors":                       {[]string{"PLUGIN_REGISTRY_MIRRORS=https://mirror.example.com/,other.example.com/hub"}, "docker.io mirrors=mirror.example.com,other.example.com/hub"},
		"the mirror of drone-docker":    {[]string{"PLUGIN_MIRROR=https://mirror.example.com"}, "docker.io mirrors=mirror.example.com"},
		"a mirror in plain HTTP":        {[]string{"DOCKER_PLUGIN_MIRROR=http://mirror:5000"}, "docker.io mirrors=mirror:5000; mirror:5000 http=true"},
		"a mirror alone":                {[]string{"PLUGIN_MIRROR=http://mirror:5000/hub", "PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK=true"}, "mirror:5000 http=true; docker-image://docker.io/* is docker-image://mirror:5000/hub/${1}"},
		"the image's registry":          {[]string{"PLUGIN_INSECURE=true"}, "registry.example.com http=true insecure=true"},
		"the cache's too":               {[]string{"PLUGIN_INSECURE=true", "PLUGIN_CACHE_REPO=cache.example.com/c"}, "cache.example.com http=true insecure=true; registry.example.com http=true insecure=true"},
		"those of the base images":      {[]string{"PLUGIN_INSECURE_PULL=true"}, "base.example.com http=true insecure=true; files.example.com http=true insecure=true"},
		"of the base connector":         {[]string{"PLUGIN_SKIP_TLS_VERIFY_PULL=true", "PLUGIN_BASE_IMAGE_REGISTRY=https://own.example.com/v2/"}, "base.example.com insecure=true; files.example.com insecure=true; own.example.com insecure=true"},
		"a registry by name":            {[]string{"PLUGIN_INSECURE_REGISTRY=http://a:5000,b"}, "a:5000 http=true insecure=true; b http=true insecure=true"},
		"any certificate":               {[]string{"PLUGIN_SKIP_TLS_VERIFY=true"}, "registry.example.com insecure=true"},
		"any certificate, by name":      {[]string{"PLUGIN_SKIP_TLS_VERIFY_REGISTRY=a,b:1"}, "a insecure=true; b:1 insecure=true"},
		"any certificate, of the image": {[]string{"PLUGIN_SKIP_TLS_VERIFY_REGISTRY=true"}, "registry.example.com insecure=true"},
		"not any certificate":           {[]string{"PLUGIN_SKIP_TLS_VERIFY_REGISTRY=false", "PLUGIN_INSECURE=false"}, ""},
		"an authority":                  {[]string{"PLUGIN_REGISTRY_CERTIFICATE=a=" + authority + ",b=" + authority}, "a http=false ca=" + authority + "; b http=false ca=" + authority},
		"an authority of the image":     {[]string{"PLUGIN_REGISTRY_CERTIFICATE=" + authority}, "registry.example.com http=false ca=" + authority},
		"a client's certificate":        {[]string{"PLUGIN_REGISTRY_CLIENT_CERT=a=" + certificate + "," + key}, "a http=false keypair=" + certificate + "+" + key},
		"name servers":                  {[]string{"PLUGIN_CUSTOM_DNS=10.0.0.1,fd00::1", "PLUGIN_CUSTOM_DNS_SEARCH=corp.example.com"}, "dns=10.0.0.1,fd00::1 search=corp.example.com"},
		"the authority of all": {[]string{"HARNESS_CA_PATH=" + authority},
			"base.example.com ca=" + authority + "; docker.io ca=" + authority + "; files.example.com ca=" + authority + "; registry.example.com ca=" + authority},
	} {
		s, _, err := Read(append([]string{"PLUGIN_REPO=registry.example.com/app"}, c.settings...))
		if err != nil {
			t.Fatal(err)
		}
		p := &project.Project{}
		p.File.Data = []byte(dockerfile)
		made, err := s.config(p, []string{"registry.example.com/app:1"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := made.TOML()
		if err != nil {
			t.Fatal(err)
		}
		var read config
		if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&read); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		got := summary(read)
		for _, rule := range s.policy().GetRules() {
			got += "; " + rule.GetSelector().GetIdentifier() + " is " + rule.GetUpdates().GetIdentifier()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q:\n%s", name, got, c.want, text)
		}
		for _, setting := range c.settings {
			if variable, value, _ := strings.Cut(setting, "="); value != "false" && strings.HasPrefix(variable, "PLUGIN_") &&
				!strings.HasPrefix(variable, "PLUGIN_CACHE") && !strings.HasPrefix(variable, "PLUGIN_BASE") && !slices.Contains(made.For, variable) {
				t.Errorf("%s: %s is not among %q", name, variable, made.For)
			}
		}
	}
}

// config is a part of buildkitd's configuration:
// https://github.com/moby/buildkit/blob/v0.34.2/cmd/buildkitd/config/config.go
type config struct {
	Registries map[string]resolverconfig.RegistryConfig `toml:"registry"`
	DNS        *struct {
		Nameservers   []string `toml:"nameservers"`
		SearchDomains []string `toml:"searchDomains"`
	} `toml:"dns"`
}

// summary returns what a configuration says.
func summary(c config) string {
	var all []string
	for _, host := range slices.Sorted(maps.Keys(c.Registries)) {
		r := c.Registries[host]
		line := bytes.NewBufferString(host)
		if len(r.Mirrors) > 0 {
			line.WriteString(" mirrors=" + strings.Join(r.Mirrors, ","))
		}
		if r.PlainHTTP != nil {
			fmt.Fprintf(line, " http=%t", *r.PlainHTTP)
		}
		if r.Insecure != nil {
			line.WriteString(" insecure=true")
		}
		if len(r.RootCAs) > 0 {
			line.WriteString(" ca=" + strings.Join(r.RootCAs, ","))
		}
		for _, pair := range r.KeyPairs {
			line.WriteString(" keypair=" + pair.Certificate + "+" + pair.Key)
		}
		all = append(all, line.String())
	}
	if c.DNS != nil {
		all = append(all, "dns="+strings.Join(c.DNS.Nameservers, ",")+" search="+strings.Join(c.DNS.SearchDomains, ","))
	}
	return strings.Join(all, "; ")
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	authority, certificate, key := writePEM(t)
	for setting, want := range map[string]string{
		"PLUGIN_REGISTRY_CERTIFICATE=a=/nowhere.pem":                         "PLUGIN_REGISTRY_CERTIFICATE: stat /nowhere.pem: no such file or directory",
		"PLUGIN_REGISTRY_CERTIFICATE=a=" + key:                               "PLUGIN_REGISTRY_CERTIFICATE: " + key + " has no certificate in PEM",
		"PLUGIN_REGISTRY_CLIENT_CERT=a=" + certificate:                       "is not of the form REGISTRY=CERTIFICATE,KEY",
		"PLUGIN_REGISTRY_CLIENT_CERT=a=" + authority + "," + key:             "are no certificate with its key",
		"PLUGIN_REGISTRY_CLIENT_CERT=a=" + certificate + ",b=" + certificate: "is not of the form REGISTRY=CERTIFICATE,KEY",
		"PLUGIN_REGISTRY_CLIENT_CERT=" + certificate + "," + key:             "is not of the form REGISTRY=CERTIFICATE,KEY",
		"PLUGIN_REGISTRY_MIRRORS=https://mirror with spaces":                 "PLUGIN_REGISTRY_MIRRORS: \"https://mirror with spaces\" is not a registry",
		"PLUGIN_CUSTOM_DNS=dns.example.com":                                  "PLUGIN_CUSTOM_DNS: \"dns.example.com\" is not the address of a name server",
		"PLUGIN_BUILDKIT_RESPONSE_HEADER_TIMEOUT=30":                         "\"30\" is not a time of a second or more, such as 30s",
		"PLUGIN_REGISTRY_MIRRORS=a,b":                                        "PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK: BuildKit takes one mirror in place of Docker Hub, and PLUGIN_REGISTRY_MIRRORS has 2",
	} {
		s, _, err := Read([]string{"PLUGIN_REPO=registry.example.com/app", "PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK=true", setting})
		if err == nil {
			_, err = s.config(nil, nil)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", setting, err, want)
		}
	}
}
