package llbgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/npm"
	"github.com/samforge/samforge/source"
)

// Mirrors replace where images and downloads are fetched from. A key is a registry, with or without
// a path ("public.ecr.aws", "docker.io/harness"), or a URL prefix that starts with http:// or
// https://. The longest key wins. Other names of Docker Hub, such as index.docker.io, stand for
// docker.io.
//
// samforge rewrites the reference itself instead of leaving it to a mirror in buildkitd's
// configuration: BuildKit mounts a blob from one repository into another only when both references
// name the same registry.
type Mirrors map[string]string

// Image returns the reference to fetch instead of ref.
func (m Mirrors) Image(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	if to, ok := m.replace(canonicalHost(named.String()), "/", ":", "@"); ok {
		return to
	}
	return ref
}

// URL returns the address to download instead of url.
func (m Mirrors) URL(url string) string {
	if to, ok := m.replace(url, "/"); ok {
		return to
	}
	return url
}

// replace replaces the longest key that name begins with. A key ends at one of the separators, so
// that no part of a name is cut. After a host only a slash counts: a colon begins its port.
func (m Mirrors) replace(name string, separators ...string) (string, bool) {
	for end := len(name) - 1; end > 0; end-- {
		if !slices.Contains(separators, name[end:end+1]) || name[end] != '/' && !strings.Contains(name[:end], "/") {
			continue
		}
		for _, from := range []string{name[:end] + "/", name[:end]} {
			if to, ok := m[from]; ok && isURL(from) == isURL(name) {
				return strings.TrimSuffix(to, "/") + name[end:], true
			}
		}
	}
	return "", false
}

// dockerHub are the names of docker.io. Images can be pulled by all of them, but Docker's own tools
// replace them by docker.io.
func dockerHub() []string {
	return []string{"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
}

// canonicalHost returns name with docker.io in place of another name of that registry.
func canonicalHost(name string) string {
	host, path, inside := strings.Cut(name, "/")
	if !slices.Contains(dockerHub(), strings.ToLower(strings.TrimSuffix(host, ":443"))) {
		return name
	}
	if !inside {
		return "docker.io"
	}
	return "docker.io/" + path
}

// normalizeMirrors replaces other names of Docker Hub in the keys of mirrors by docker.io, the name
// that references have.
func (p *Plan) normalizeMirrors() {
	for _, from := range slices.Sorted(maps.Keys(p.File.Mirrors)) {
		name := canonicalHost(from)
		if isURL(from) || name == from {
			continue
		}
		to := p.File.Mirrors[from]
		if other, ok := p.File.Mirrors[name]; ok && other != to {
			p.doc.Errorf(source.Join("mirrors", from), "is another name of %s, which has the mirror %s: keep one of them", name, other)
		}
		delete(p.File.Mirrors, from)
		p.File.Mirrors[name] = to
	}
}

// MirrorProblem says what is wrong with a mirror, or "".
func MirrorProblem(from, to string) string {
	host, _, _ := strings.Cut(from, "/")
	switch {
	case credentials.In(from) || credentials.In(to):
		return hasCredentials(to, from == npm.Registry)
	case slices.Contains([]string{"docker.com", "hub.docker.com"}, strings.ToLower(strings.TrimSuffix(host, ":443"))):
		return fmt.Sprintf("%s is not a registry, and no image would match it: write docker.io for Docker Hub", host)
	case to == "" || isURL(from) != isURL(to):
		return fmt.Sprintf("%q cannot replace %q: a registry is replaced by a registry, a URL prefix by a URL prefix", to, from)
	case !isURL(from) && host != "localhost" && !strings.ContainsAny(host, ".:"):
		return fmt.Sprintf("%q does not begin with a registry, and no image would match it: write docker.io/%s for a repository of Docker Hub", from, from)
	}
	if _, err := reference.ParseNormalizedNamed(strings.TrimSuffix(to, "/") + "/image"); !isURL(to) && err != nil {
		return fmt.Sprintf("%q is not a registry with or without a path: %v", to, err)
	}
	return ""
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}
