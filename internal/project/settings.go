package project

import (
	"fmt"
	"slices"
	"strings"
)

// Settings apply to every target, through any door. The values are those of the flags of docker
// buildx build.
type Settings struct {
	Labels map[string]string
	// Annotations are OCI annotations in the form of buildx: [TYPE:]KEY=VALUE.
	Annotations []string
	// Attests are attestations to add: "type=sbom", "type=provenance,mode=max".
	Attests []string
	// CacheFrom and CacheTo may name the target: {{.Target}}.
	CacheFrom, CacheTo []string
	Secrets, SSH       []string
}

// Caches returns CacheFrom and CacheTo for one target.
func (s Settings) Caches(t Target) (from, to []string, err error) {
	if from, err = t.Expand("--cache-from", s.CacheFrom); err != nil {
		return nil, nil, err
	}
	to, err = t.Expand("--cache-to", s.CacheTo)
	return from, to, err
}

// CheckCaches refuses a cache that several targets would write, each overwriting the one before. An
// inline cache is in the image itself, so it is allowed.
func (s Settings) CheckCaches(targets []Target) error {
	writers := map[string]string{} // target by value
	for _, t := range targets {
		_, to, err := s.Caches(t)
		if err != nil {
			return err
		}
		for n, value := range to {
			other, taken := writers[value]
			if taken && !slices.Contains(strings.Split(value, ","), "type=inline") {
				return fmt.Errorf("--cache-to %s: targets %s and %s would write the same cache, one over the other: put {{.Target}} into its name, as in type=registry,ref=registry.example.com/cache:{{.Target}}", s.CacheTo[n], other, t.Name)
			}
			writers[value] = t.Name
		}
	}
	return nil
}
