package llbgen

import (
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Mirrors replace where images and downloads are fetched from. A key is a
// registry, with or without a path ("public.ecr.aws", "docker.io/harness"), or
// a URL prefix that starts with http:// or https://. The longest key wins.
//
// samforge rewrites the reference itself instead of leaving it to a mirror in
// buildkitd's configuration: BuildKit mounts a blob from one repository into
// another only when both references name the same registry.
type Mirrors map[string]string

// Image returns the reference to fetch instead of ref.
func (m Mirrors) Image(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	full := named.String()
	from := m.longest(func(from string) bool { return !isURL(from) && heads(from, full, "/", ":", "@") })
	if from == "" {
		return ref
	}
	return strings.TrimSuffix(m[from], "/") + strings.TrimPrefix(full, strings.TrimSuffix(from, "/"))
}

// URL returns the address to download instead of url.
func (m Mirrors) URL(url string) string {
	from := m.longest(func(from string) bool { return isURL(from) && heads(from, url, "/") })
	if from == "" {
		return url
	}
	return strings.TrimSuffix(m[from], "/") + strings.TrimPrefix(url, strings.TrimSuffix(from, "/"))
}

// heads reports whether name begins with prefix and goes on with one of the
// separators, so that a name is never cut in the middle of a part. A lone host
// is followed by a path only: what stands behind its colon is a port.
func heads(prefix, name string, separators ...string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && slices.ContainsFunc(separators, func(s string) bool {
		return strings.HasPrefix(rest, s) && (s == "/" || strings.Contains(prefix, "/"))
	})
}

func (m Mirrors) longest(matches func(from string) bool) string {
	best := ""
	for from := range m {
		if len(from) > len(best) && matches(from) {
			best = from
		}
	}
	return best
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}
