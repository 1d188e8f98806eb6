package npm

import (
	"embed"
	"slices"
	"strings"
)

// embedded are package-lock.json files named <package>-<version>.json; locks/README.md says how
// they are made.
//
//go:embed locks/*.json
var embedded embed.FS

// Embedded returns the lock that samforge carries for a version of a package, or false. It parses
// the lock each time, which takes some milliseconds.
func Embedded(name, version string) (*Lock, bool) {
	data, err := embedded.ReadFile("locks/" + name + "-" + version + ".json")
	if err != nil {
		return nil, false
	}
	lock, err := Parse(data, name, version)
	if err != nil {
		return nil, false // a test parses them all
	}
	lock.embedded = true
	return lock, true
}

// EmbeddedVersions returns the versions of a package that [Embedded] has, the newest first.
func EmbeddedVersions(name string) []string {
	files, err := embedded.ReadDir("locks")
	if err != nil {
		return nil
	}
	var versions []string
	for _, file := range files {
		version, ok := strings.CutPrefix(strings.TrimSuffix(file.Name(), ".json"), name+"-")
		if ok && release(version) != nil {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return slices.Compare(release(b), release(a)) })
	return versions
}

// release returns the numbers of a version, or nil for what is not one.
func release(version string) []int {
	span, ok := parseNodeSpan(version)
	if !ok || version == "" {
		return nil
	}
	return span.from[:]
}
