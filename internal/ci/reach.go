package ci

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	spb "github.com/moby/buildkit/sourcepolicy/pb"
	resolverconfig "github.com/moby/buildkit/util/resolver/config"
	"github.com/pelletier/go-toml/v2"

	"github.com/samforge/samforge/internal/builder"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// reach says how registries are reached, and what build steps ask for addresses.
type reach struct {
	mirrors                          []string
	onlyMirror                       bool
	insecure, insecurePull           bool
	unverified, unverifiedPull       bool
	insecureHosts, unverifiedHosts   []string
	certificates, clientCertificates []string
	dns, dnsSearch                   []string
	file                             string
	pushRetries, pullRetries         *int
}

// tries returns how often the image is built at most if connections to registries break off; 0
// without a setting.
func (r reach) tries() (n int) {
	for _, retries := range []*int{r.pushRetries, r.pullRetries} {
		if retries != nil {
			n = max(n, *retries+1)
		}
	}
	return n
}

// reachSettings are the settings of how registries and the network are reached. Those of kaniko are
// its flags: https://github.com/GoogleContainerTools/kaniko#additional-flags
func reachSettings() []Setting {
	return []Setting{
		commas("PLUGIN_REGISTRY_MIRRORS PLUGIN_MIRROR DOCKER_PLUGIN_MIRROR", "", "Mirrors of Docker Hub, which images are pulled from if they are there", func(s *Step) *[]string { return &s.reach.mirrors }),
		boolean("PLUGIN_INSECURE", "false", "Use the registry of the image, and that of its cache, in plain HTTP if it has no TLS, and trust any certificate", func(s *Step) *bool { return &s.reach.insecure }),
		boolean("PLUGIN_INSECURE_PULL", "false", "PLUGIN_INSECURE for the mirrors, PLUGIN_BASE_IMAGE_REGISTRY, and the registries that the Dockerfile names in FROM and COPY --from, except Docker Hub", func(s *Step) *bool { return &s.reach.insecurePull }),
		commas("PLUGIN_INSECURE_REGISTRY", "", "PLUGIN_INSECURE for these registries", func(s *Step) *[]string { return &s.reach.insecureHosts }),
		boolean("PLUGIN_SKIP_TLS_VERIFY", "false", "Trust any certificate of the registry of the image, and of its cache", func(s *Step) *bool { return &s.reach.unverified }),
		boolean("PLUGIN_SKIP_TLS_VERIFY_PULL", "false", "PLUGIN_SKIP_TLS_VERIFY for the registries of PLUGIN_INSECURE_PULL", func(s *Step) *bool { return &s.reach.unverifiedPull }),
		commas("PLUGIN_SKIP_TLS_VERIFY_REGISTRY", "", "PLUGIN_SKIP_TLS_VERIFY for these registries, or true for that of the image", func(s *Step) *[]string { return &s.reach.unverifiedHosts }),
		commas("PLUGIN_REGISTRY_CERTIFICATE", "", "Files with certificates of authorities that a registry is trusted by too, as REGISTRY=PATH, or a path for the registry of the image", func(s *Step) *[]string { return &s.reach.certificates }),
		commas("PLUGIN_REGISTRY_CLIENT_CERT", "", "Certificates that a registry knows this step by, with their keys, as REGISTRY=CERTIFICATE,KEY", func(s *Step) *[]string { return &s.reach.clientCertificates }),
		commas("PLUGIN_CUSTOM_DNS", "those of this pod or machine", "Addresses of name servers for the steps of the build", func(s *Step) *[]string { return &s.reach.dns }),
		commas("PLUGIN_CUSTOM_DNS_SEARCH", "those of this pod or machine", "Domains that the steps of the build look for names in", func(s *Step) *[]string { return &s.reach.dnsSearch }),
		number("PLUGIN_PUSH_RETRY", "2", "How often the push is tried again after a connection that broke off, or an answer such as 429 or 503. Each request is tried again before that", func(s *Step) **int { return &s.reach.pushRetries }),
		number("PLUGIN_IMAGE_DOWNLOAD_RETRY", "2", "As PLUGIN_PUSH_RETRY for what is pulled. The higher number counts for both", func(s *Step) **int { return &s.reach.pullRetries }),
		text("PLUGIN_BUILDER_CONFIG", "that of the builder", "buildkitd.toml of the builder that samforge starts. The settings above add to it", func(s *Step) *string { return &s.reach.file }),
		boolean("PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK", "false", "Pull images of Docker Hub from the mirror alone. It is for one mirror", func(s *Step) *bool { return &s.reach.onlyMirror }),
	}
}

// config returns what the builder is configured with, which samforge's own client follows too. p is
// the project of the Dockerfile; nil if nothing is built.
func (s *Step) config(p *project.Project, refs []string) (builder.Config, error) {
	hosts, err := s.configured()
	if err != nil {
		return builder.Config{}, err
	}
	image, bases := s.imageHosts(refs), s.baseHosts(p)
	if err := s.mirror(hosts); err != nil {
		return builder.Config{}, err
	}
	for _, of := range slices.Concat(chosen(s.reach.insecure, image), chosen(s.reach.insecurePull, notDockerHub(bases)), cleaned(s.reach.insecureHosts, nil)) {
		hosts.change(of, func(c *resolverconfig.RegistryConfig) { c.Insecure, c.PlainHTTP = yes(), yes() })
	}
	for _, of := range slices.Concat(chosen(s.reach.unverified, image), chosen(s.reach.unverifiedPull, notDockerHub(bases)), cleaned(s.reach.unverifiedHosts, image)) {
		hosts.change(of, func(c *resolverconfig.RegistryConfig) { c.Insecure = yes() })
	}
	if err := errors.Join(s.authorities(hosts, image, bases), s.keyPairs(hosts), s.checkDNS()); err != nil {
		return builder.Config{}, err
	}
	return builder.Config{
		Registries: hosts, DNS: builder.DNS{Nameservers: s.reach.dns, SearchDomains: s.reach.dnsSearch}, For: s.reachGiven(), File: s.reach.file,
	}, nil
}

// configured returns how registries are reached by PLUGIN_BUILDER_CONFIG.
func (s *Step) configured() (hostConfigs, error) {
	if s.reach.file == "" {
		return hostConfigs{}, nil
	}
	data, err := userfile.Read(s.reach.file, 1<<20)
	if err != nil {
		return nil, project.BadInput(fmt.Errorf("PLUGIN_BUILDER_CONFIG: %w", err))
	}
	var file struct {
		Registries hostConfigs `toml:"registry"`
	}
	if err := toml.Unmarshal(data, &file); err != nil {
		return nil, project.BadInput(fmt.Errorf("PLUGIN_BUILDER_CONFIG: %s is no buildkitd.toml: %w", s.reach.file, err))
	}
	if file.Registries == nil {
		file.Registries = hostConfigs{}
	}
	return file.Registries, nil
}

// reachGiven returns the variables that settings of a builder are given with.
func (s *Step) reachGiven() (names []string) {
	for _, setting := range reachSettings() {
		if name, value := setting.given(s.environment); name != "" && setting.Does != "" && setting.Type != typeNumber && value != "false" {
			names = append(names, name)
		}
	}
	if s.caPath != "" {
		names = append(names, "HARNESS_CA_PATH")
	}
	return names
}

// hostConfigs are the configurations of registries, by their hosts.
type hostConfigs map[string]resolverconfig.RegistryConfig

func (h hostConfigs) change(host string, change func(*resolverconfig.RegistryConfig)) {
	c := h[host]
	change(&c)
	h[host] = c
}

func yes() *bool { value := true; return &value }
func no() *bool  { value := false; return &value }

func chosen(ok bool, hosts []string) []string {
	if ok {
		return hosts
	}
	return nil
}

// cleaned returns hosts as the configuration of a builder has them: they may have a scheme. In the
// place of true it has those of the image.
func cleaned(hosts, image []string) (all []string) {
	for _, given := range hosts {
		switch given {
		case "true":
			all = append(all, image...)
		case "false":
		default:
			all = append(all, host(given))
		}
	}
	return all
}

func notDockerHub(hosts []string) []string {
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return host == dockerHub })
}

// dockerHub is the name of Docker Hub in the configuration of a builder.
const dockerHub = "docker.io"

// imageHosts returns the registries of the image and of its cache.
func (s *Step) imageHosts(refs []string) (hosts []string) {
	for _, ref := range append(slices.Clone(refs), s.cacheRepository()) {
		if named, err := reference.ParseNormalizedNamed(ref); err == nil {
			hosts = append(hosts, reference.Domain(named))
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// baseHosts returns the registries that the build pulls from.
func (s *Step) baseHosts(p *project.Project) (hosts []string) {
	if s.base.registry != "" {
		hosts = append(hosts, host(s.base.registry))
	}
	for _, mirror := range s.reach.mirrors {
		of, _ := mirrorHost(mirror)
		hosts = append(hosts, of)
	}
	if p != nil {
		for _, part := range p.Parts() {
			hosts = append(hosts, inputs.Registries(part.File.Data, part.Args)...)
		}
	}
	return hosts
}

// policy returns the rule that takes a mirror in place of Docker Hub; nil if that may be asked too.
// BuildKit asks a registry after its mirrors, whatever its configuration says.
func (s *Step) policy() *spb.Policy {
	if !s.reach.onlyMirror || len(s.reach.mirrors) == 0 {
		return nil
	}
	const image = "docker-image://"
	_, place := mirrorHost(s.reach.mirrors[0])
	return &spb.Policy{Version: 1, Rules: []*spb.Rule{{
		Action:   spb.PolicyAction_CONVERT,
		Selector: &spb.Selector{Identifier: image + dockerHub + "/*", MatchType: spb.MatchType_WILDCARD},
		Updates:  &spb.Update{Identifier: image + place + "/${1}"},
	}}}
}

// mirror adds the mirrors of Docker Hub.
func (s *Step) mirror(hosts hostConfigs) error {
	if n := len(s.reach.mirrors); s.reach.onlyMirror && n > 1 {
		return fmt.Errorf("PLUGIN_SKIP_DEFAULT_REGISTRY_FALLBACK: BuildKit takes one mirror in place of Docker Hub, and PLUGIN_REGISTRY_MIRRORS has %d: name one", n)
	}
	for _, mirror := range s.reach.mirrors {
		of, place := mirrorHost(mirror)
		if _, err := name.NewRegistry(of); err != nil {
			return fmt.Errorf("PLUGIN_REGISTRY_MIRRORS: %q is not a registry: %w", mirror, err)
		}
		if s.policy() == nil {
			hosts.change(dockerHub, func(c *resolverconfig.RegistryConfig) { c.Mirrors = append(c.Mirrors, place) })
		}
		if strings.HasPrefix(mirror, "http://") {
			hosts.change(of, func(c *resolverconfig.RegistryConfig) { c.PlainHTTP = yes() })
		}
	}
	return nil
}

// mirrorHost returns the host of a mirror, and the mirror without its scheme.
func mirrorHost(mirror string) (host, place string) {
	if _, rest, ok := strings.Cut(mirror, "://"); ok {
		mirror = rest
	}
	place = strings.Trim(mirror, "/")
	host, _, _ = strings.Cut(place, "/")
	return host, place
}

// authorities adds certificates of authorities. That of HARNESS_CA_PATH is for all registries,
// which a builder is told one by one.
func (s *Step) authorities(hosts hostConfigs, image, bases []string) error {
	for _, item := range s.reach.certificates {
		of, path, ok := strings.Cut(item, "=")
		registries := []string{host(of)}
		if !ok {
			path, registries = item, image
		}
		if err := registry.CheckAuthorities(path); err != nil {
			return fmt.Errorf("PLUGIN_REGISTRY_CERTIFICATE: %w", err)
		}
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		for _, of := range registries {
			hosts.change(of, func(c *resolverconfig.RegistryConfig) {
				c.RootCAs = append(c.RootCAs, path)
				if c.PlainHTTP == nil {
					c.PlainHTTP = no() // BuildKit takes one on loopback to speak plain HTTP
				}
			})
		}
	}
	if s.caPath == "" {
		return nil
	}
	path, err := filepath.Abs(s.caPath)
	for _, of := range slices.Concat(image, bases) {
		hosts.change(of, func(c *resolverconfig.RegistryConfig) {
			if !slices.Contains(c.RootCAs, path) {
				c.RootCAs = append(c.RootCAs, path)
			}
		})
	}
	return err
}

// keyPairs adds certificates of this step. The key of a certificate is an item of the list of its
// own.
func (s *Step) keyPairs(hosts hostConfigs) error {
	list := s.reach.clientCertificates
	for len(list) > 0 {
		of, certificate, ok := strings.Cut(list[0], "=")
		if !ok || len(list) < 2 || strings.Contains(list[1], "=") {
			return fmt.Errorf("PLUGIN_REGISTRY_CLIENT_CERT: %q is not of the form REGISTRY=CERTIFICATE,KEY", list[0])
		}
		key := list[1]
		list = list[2:]
		if err := registry.CheckKeyPair(certificate, key); err != nil {
			return fmt.Errorf("PLUGIN_REGISTRY_CLIENT_CERT: %w", err)
		}
		certificate, errCertificate := filepath.Abs(certificate)
		key, errKey := filepath.Abs(key)
		if err := errors.Join(errCertificate, errKey); err != nil {
			return err
		}
		hosts.change(host(of), func(c *resolverconfig.RegistryConfig) {
			c.KeyPairs = append(c.KeyPairs, resolverconfig.TLSKeyPair{Certificate: certificate, Key: key})
			if c.PlainHTTP == nil {
				c.PlainHTTP = no()
			}
		})
	}
	return nil
}

// checkDNS refuses name servers that are no addresses.
func (s *Step) checkDNS() error {
	for _, server := range s.reach.dns {
		if _, err := netip.ParseAddr(server); err != nil {
			return fmt.Errorf("PLUGIN_CUSTOM_DNS: %q is not the address of a name server", server)
		}
	}
	return nil
}
