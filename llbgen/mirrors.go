package llbgen

import (
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
	from := m.longest(func(from string) bool {
		return !isURL(from) && strings.HasPrefix(full, strings.TrimSuffix(from, "/")+"/")
	})
	if from == "" {
		return ref
	}
	return strings.TrimSuffix(m[from], "/") + strings.TrimPrefix(full, strings.TrimSuffix(from, "/"))
}

// URL returns the address to download instead of url.
func (m Mirrors) URL(url string) string {
	from := m.longest(func(from string) bool { return isURL(from) && strings.HasPrefix(url, from) })
	if from == "" {
		return url
	}
	return m[from] + strings.TrimPrefix(url, from)
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
