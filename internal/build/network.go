package build

import (
	"fmt"
	"net"
	"strings"

	"github.com/moby/buildkit/util/entitlements"
)

// networkAttrs returns the attributes of --network and --add-host, as docker buildx build passes
// them to a frontend.
func (opt Options) networkAttrs() (map[string]string, error) {
	attrs := map[string]string{}
	switch opt.Network {
	case "", "default":
	case "host", "none":
		attrs["force-network-mode"] = opt.Network
	default:
		return nil, fmt.Errorf("--network %q: use default, none or host; a network of the engine's own belongs to the builder", opt.Network)
	}
	var hosts []string
	for _, value := range opt.AddHosts {
		addresses, err := parseHost(value)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, addresses...)
	}
	if len(hosts) > 0 {
		attrs["add-hosts"] = strings.Join(hosts, ",")
	}
	return attrs, nil
}

// parseHost turns HOST:IP or HOST=IP into HOST=IP, one for each IP of a comma-separated list.
func parseHost(value string) ([]string, error) {
	i := strings.IndexAny(value, "=:")
	if eq := strings.Index(value, "="); eq >= 0 {
		i = eq
	}
	if i <= 0 {
		return nil, fmt.Errorf("--add-host %q: expected HOST:IP", value)
	}
	var hosts []string
	for ip := range strings.SplitSeq(value[i+1:], ",") {
		if bare, ok := strings.CutPrefix(ip, "["); ok {
			ip = strings.TrimSuffix(bare, "]")
		}
		if net.ParseIP(ip) == nil {
			return nil, fmt.Errorf("--add-host %q: %q is not an IP address", value, ip)
		}
		hosts = append(hosts, value[:i]+"="+ip)
	}
	return hosts, nil
}

// entitlementsOf returns the privileges of build steps that the attributes of a frontend ask for.
func entitlementsOf(attrs map[string]string) []string {
	if attrs["force-network-mode"] == "host" {
		return []string{entitlements.EntitlementNetworkHost.String()}
	}
	return nil
}
