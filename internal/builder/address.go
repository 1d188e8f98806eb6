package builder

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/samforge/samforge/internal/credentials"
)

// AddressError says that an address is not one of a builder, or that a list of addresses cannot be
// used.
type AddressError struct{ reason string }

func (e *AddressError) Error() string { return e.reason }

// schemes are the address schemes that named understands.
var schemes = []string{"unix", "tcp", "ssh", "npipe", "docker-container", "podman-container", "nerdctl-container", "kube-pod", "docker", "private"}

// CheckAddresses refuses an address that is not one of a builder, and a list of several that cannot
// be a Pool: a list that names a builder twice, or that has the Docker engine in it, which keeps
// its images to itself. A single empty address means discovery.
func CheckAddresses(addresses []string) error {
	given := map[string]bool{}
	for _, address := range addresses {
		if address == "" && len(addresses) == 1 {
			return nil
		}
		if err := checkAddress(address); err != nil {
			return err
		}
		if len(addresses) > 1 && strings.HasPrefix(address, "docker://") {
			return &AddressError{address + " cannot be one of several builders, because the Docker engine keeps the images that it builds: name it alone, or leave it out"}
		}
		if given[address] {
			return &AddressError{address + " is given twice"}
		}
		given[address] = true
	}
	return nil
}

func checkAddress(address string) error {
	if credentials.In(address) {
		return &AddressError{fmt.Sprintf("the address of the builder %s has a user or a password in it: leave it out; a builder knows its clients by certificates (--tlscert, --tlskey) or by SSH keys", credentials.Mask(address))}
	}
	u, err := url.Parse(address)
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return &AddressError{fmt.Sprintf("%q is not the address of a builder: a buildkitd speaks gRPC, tcp://%s, with TLS by --tlscacert and --tlscert", address, u.Host)}
	case err == nil && (address == "docker" || address == "private"):
		return &AddressError{fmt.Sprintf("%q is not the address of a builder: %s:// is", address, address)}
	case err != nil || !slices.Contains(schemes, u.Scheme):
		return &AddressError{fmt.Sprintf("%q is not the address of a builder, such as unix:///run/buildkit/buildkitd.sock, tcp://host:1234 or docker-container://name (schemes: %s)", address, strings.Join(schemes, ", "))}
	case u.Scheme == "tcp" && u.Host == "":
		return &AddressError{fmt.Sprintf("%q has no host: tcp://host:1234", address)}
	case u.Scheme == "tcp" && u.Port() == "":
		return &AddressError{fmt.Sprintf("%q has no port: tcp://%s:1234", address, u.Hostname())}
	case u.Scheme == "unix" && u.Path == "":
		return &AddressError{fmt.Sprintf("%q has no path: unix:///run/buildkit/buildkitd.sock", address)}
	}
	return nil
}
