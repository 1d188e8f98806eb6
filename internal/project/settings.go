package project

import (
	"fmt"
	"slices"
	"strings"
)

// Settings apply to every target, through any door, or to one alone: see [Target.Own]. The values are
// those of the flags of docker buildx build.
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

// Caches returns CacheFrom and CacheTo for one target, also those of its own.
func (s Settings) Caches(t Target) (from, to []string, err error) {
	if from, err = t.Expand("--cache-from", slices.Concat(s.CacheFrom, t.Own.CacheFrom)); err != nil {
		return nil, nil, err
	}
	to, err = t.Expand("--cache-to", slices.Concat(s.CacheTo, t.Own.CacheTo))
	return from, to, err
}

// With returns the settings with the secrets and the SSH agents of targets. A builder that builds
// several at once has one of each name: it is an error if two differ.
func (s Settings) With(targets ...Target) (Settings, error) {
	with := s
	names := map[string]string{} // what has a name
	add := func(to []string, flag string, values []string) ([]string, error) {
		for _, value := range values {
			if slices.Contains(to, value) {
				continue
			}
			key := flag + " " + idOf(value)
			if other, taken := names[key]; taken {
				return nil, fmt.Errorf("%s %s and %s %s have one name: rename one", flag, other, flag, value)
			}
			names[key] = value
			to = append(to[:len(to):len(to)], value)
		}
		return to, nil
	}
	for _, value := range s.Secrets {
		names["--secret "+idOf(value)] = value
	}
	for _, value := range s.SSH {
		names["--ssh "+idOf(value)] = value
	}
	for _, t := range targets {
		var err error
		if with.Secrets, err = add(with.Secrets, "--secret", t.Own.Secrets); err == nil {
			with.SSH, err = add(with.SSH, "--ssh", t.Own.SSH)
		}
		if err != nil {
			if t.Lambda != nil {
				err = fmt.Errorf("DockerBuildExtraParams: %w", err)
			}
			return s, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return with, nil
}

// idOf returns the name of a secret or of an SSH agent: id=NAME, or what is before the sign =.
func idOf(value string) string {
	for field := range strings.SplitSeq(value, ",") {
		if id, ok := strings.CutPrefix(field, "id="); ok {
			return id
		}
	}
	id, _, _ := strings.Cut(value, "=")
	return id
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
				return fmt.Errorf("--cache-to %s: targets %s and %s would write the same cache, one over the other: put {{.Target}} into its name, as in type=registry,ref=registry.example.com/cache:{{.Target}}",
					slices.Concat(s.CacheTo, t.Own.CacheTo)[n], other, t.Name)
			}
			writers[value] = t.Name
		}
	}
	return nil
}
