package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/source"
)

// LoadDockerfiles returns a project with the image of each Dockerfile as a target. Mistakes are an
// [*InputError].
func LoadDockerfiles(all []Dockerfile) (*Project, error) {
	if len(all) == 1 {
		p, err := LoadDockerfile(all[0])
		if name := all[0].Name; err != nil && name != "" {
			err = BadInput(fmt.Errorf("%s: %w", name, err))
		}
		return p, err
	}
	d := dockerfiles{links: map[string]map[string]string{}, linked: map[string]bool{}}
	for _, one := range all {
		part, err := LoadDockerfile(one)
		if err != nil {
			return nil, BadInput(fmt.Errorf("%s: %w", one.Name, err))
		}
		d.parts = append(d.parts, part)
		d.links[one.Name], d.linked[one.Name] = one.Links, one.Linked
	}
	p := &Project{Args: map[string]string{}, origin: d}
	if _, err := p.place(ocispecs.Platform{OS: "linux", Architecture: "amd64"}); err != nil {
		return nil, BadInput(err)
	}
	return p, nil
}

// Parts returns the projects that a project consists of, each with a build context and a build file
// of its own: the project itself unless it has several Dockerfiles.
func (p *Project) Parts() []*Project {
	if d, ok := p.origin.(dockerfiles); ok {
		return d.parts
	}
	return []*Project{p}
}

// dockerfiles are several Dockerfiles as the origin of targets.
type dockerfiles struct {
	parts  []*Project
	links  map[string]map[string]string // contexts that are other images, by image and by context
	linked map[string]bool              // those that are only contexts of others
}

var _ origin = dockerfiles{}

func (d dockerfiles) place(p *Project, _ []ocispecs.Platform, fallback ocispecs.Platform) ([]Target, error) {
	all := map[string]Target{}
	for _, part := range d.parts {
		targets, err := part.place(fallback)
		if err != nil {
			return nil, err
		}
		all[targets[0].Name] = targets[0]
	}
	var targets []Target
	for _, name := range d.names() {
		t, err := d.withLinks(all, name, nil)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// withLinks returns a target with the ones that are its contexts. above are those that it is a context
// of.
func (d dockerfiles) withLinks(all map[string]Target, name string, above []string) (Target, error) {
	t, ok := all[name]
	if !ok {
		return t, fmt.Errorf("%s: there is no target %q", above[len(above)-1], name)
	}
	if slices.Contains(above, name) {
		return t, fmt.Errorf("%s: the target is a context of itself", name)
	}
	above = append(above, name)
	t.Links = map[string]Target{}
	for _, context := range slices.Sorted(maps.Keys(d.links[name])) {
		linked, err := d.withLinks(all, d.links[name][context], slices.Clone(above))
		if err != nil {
			return t, err
		}
		t.Links[context] = linked
	}
	return t, nil
}

func (dockerfiles) violation() error               { return nil }
func (dockerfiles) warnings() []*source.Diagnostic { return nil }
func (dockerfiles) readsContext() bool             { return true }
func (dockerfiles) followsBuilder() bool           { return true }

// hasRepo reports whether the images have references: those of a bake file may be built for a cache
// alone.
func (dockerfiles) hasRepo() bool { return true }

// names returns the images that are built for themselves.
func (d dockerfiles) names() (names []string) {
	for _, part := range d.parts {
		if name := part.origin.(anyDockerfile).d.Name; !d.linked[name] {
			names = append(names, name)
		}
	}
	return names
}

func (dockerfiles) combinations(*Project, []ocispecs.Platform) ([]Combination, error) {
	return nil, errors.New("a Dockerfile has no lock file")
}
