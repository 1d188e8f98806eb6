// Where this machine gets its Debian packages from.

package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
)

var debianSource = regexp.MustCompile(`(?m)^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(https?://\S+/debian/?)(?:\s|$)`)

// debianMirror returns the mirror that this machine's apt-get uses.
func debianMirror() (string, error) {
	sources, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, file := range append(sources, "/etc/apt/sources.list") {
		data, _ := os.ReadFile(file)
		if m := debianSource.FindSubmatch(data); m != nil {
			return string(m[1]), nil
		}
	}
	return "", errors.New("no Debian mirror in /etc/apt/sources.list or sources.list.d: this needs a Debian machine")
}
